"""Print what a run ended in: the ablation, where the results are, and what to try next."""

from pathlib import Path

from lean_audio.config.params import Params, load_params
from lean_audio.errors import LeanError
from lean_audio.files import read_json
from lean_audio.notices import notices
from lean_audio.report.models import report_models
from lean_audio.report.results import chance_of
from lean_audio.report.trainings import read_trainings
from stages import run_stage
from tools.verify import PROVENANCE, Comparison, compare, reproduced, table

NEXT = (
    ("source .venv/bin/activate", "once per terminal"),
    ("lean-audio predict my.wav", "tag one of your own sounds"),
    ("make ui", "every training, in MLflow"),
    ("dvc exp run -S attention=affinity", "ship another attention"),
)


def summary(params: Params) -> list[str]:
    """Return the lines to print."""
    paths = params.paths
    trainings = read_trainings(paths.metrics, report_models(params))
    try:
        rows = compare(params, "HEAD")
        sentence = reproduced(rows, params.verify.tolerance)[1]
    except LeanError as error:
        runs = [run for model in trainings.models.values() for run in model.runs]
        rows = [Comparison(f"{run.model}-{run.seed}", run.facts["mAP"], None) for run in runs]
        sentence = str(error)
    lines = ["", *table(rows)]
    if (chance := chance_of(trainings)) is not None:
        lines.append(f"{'random scores':<24}{chance:>9.4f}")
    lines += ["", sentence]
    lines += [f"note: {notice}" for notice in notices(read_json(paths.metrics / PROVENANCE))]
    lines += ["", f"report   {paths.report / 'index.html'}", f"shipped  {_shipped(params)}"]
    lines += ["", "next:"]
    git = Path(".git").exists()
    return [*lines, *(f"  {line:<35} {what}" for line, what in NEXT if git or "exp" not in line)]


def _shipped(params: Params) -> str:
    row = read_json(params.paths.metrics / "shipped.json")
    file = f"{row['scheme']} of {params.shown}, {row['bytes'] / 1e6:.2f} MB"
    return f"{params.paths.shipped}: {file}" + (f", mAP {row['mAP']:.4f}" if row["mAP"] else "")


def main() -> None:
    print(*summary(load_params()), sep="\n")


if __name__ == "__main__":
    run_stage(main)
