"""Print what a run ended in: the ablation, where the results are, and what to try next."""

from collections.abc import Iterator
from pathlib import Path

from lean_audio.config.params import JOINT, Params, load_params
from lean_audio.errors import LeanError, counted
from lean_audio.files import read_json
from lean_audio.notices import notices
from lean_audio.report.models import report_models
from lean_audio.report.results import chance_of
from lean_audio.report.trainings import read_trainings
from stages import run_stage
from tools.verify import PROVENANCE, Comparison, compare, reproduced, table


def summary(params: Params) -> list[str]:
    """Return the lines to print."""
    paths = params.paths
    trainings = read_trainings(paths.metrics, report_models(params))
    try:
        rows = compare(params, "HEAD")
        committed = any(row.committed is not None for row in rows)
        sentence = reproduced(rows, params.verify.tolerance)[1] if committed else ""
    except LeanError as error:
        runs = [run for model in trainings.models.values() for run in model.runs]
        rows = [Comparison(f"{run.model}-{run.seed}", run.facts["mAP"], None) for run in runs]
        sentence = str(error)
    lines = ["", *table(rows)]
    if (chance := chance_of(trainings)) is not None:
        lines.append(f"{'random scores':<24}{chance:>9.4f}")
    lines += ["", sentence] if sentence else []
    lines += [f"note: {notice}" for notice in notices(read_json(paths.metrics / PROVENANCE))]
    lines += ["", f"report   {paths.report / 'index.html'}", f"shipped  {_shipped(params)}"]
    if found := read_json(paths.data_checks)["warnings"]:
        lines.append(f"data     {counted(found, 'check')} found something: see Data and labels")
    following = list(_next(params))
    width = max(len(line) for line, _ in following)
    return [*lines, "", "next:", *(f"  {line:<{width}}  {what}" for line, what in following)]


def _next(params: Params) -> Iterator[tuple[str, str]]:
    """Yield what to try next, and what it does."""
    yield "source .venv/bin/activate", "once per terminal"
    yield f"lean-audio predict my.wav --model {params.paths.shipped}", "tag one of your own sounds"
    yield "make ui", "every training, in MLflow"
    if Path(".git").exists() and params.headline == JOINT:
        yield "dvc exp run -S attention=affinity", "ship another attention"
    if params.dataset != "demo":
        yield "git checkout params.yaml", "go back to the demo"


def _shipped(params: Params) -> str:
    row = read_json(params.paths.metrics / "shipped.json")
    file = f"{row['scheme']} of {params.shown}, {row['bytes'] / 1e6:.2f} MB"
    return f"{params.paths.shipped}: {file}" + (f", mAP {row['mAP']:.4f}" if row["mAP"] else "")


def main() -> None:
    print(*summary(load_params()), sep="\n")


if __name__ == "__main__":
    run_stage(main)
