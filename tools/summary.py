"""Print what a run ended in: the ablation, where the results are, and what to try next."""

from lean_audio.config.params import Params, load_params
from lean_audio.files import read_json
from lean_audio.notices import notices
from lean_audio.report.models import report_models
from lean_audio.report.render import chance_of
from lean_audio.report.trainings import read_trainings
from stages import run_stage
from tools.verify import compare, reproduced, table

NEXT = (
    (".venv/bin/lean-audio predict my.wav", "the tags of a sound of yours"),
    ("make ui", "every training in MLflow"),
    (
        ".venv/bin/dvc exp run -S attention=affinity",
        "ship another attention",
    ),
)


def summary(params: Params) -> list[str]:
    """Return the lines to print."""
    paths = params.paths
    rows = compare(params, "HEAD")
    chance = chance_of(read_trainings(paths.metrics, report_models(params)))
    lines = ["", *table(rows)]
    if chance is not None:
        lines.append(f"{'random scores':<24}{chance:>9.4f}")
    lines += ["", reproduced(rows, params.verify.tolerance)[1]]
    lines += [f"note: {notice}" for notice in notices(read_json(paths.metrics / "provenance.json"))]
    lines += ["", f"report  {paths.report / 'index.html'}", f"model   {paths.shipped}", "", "next:"]
    return [*lines, *(f"  {command:<45} {what}" for command, what in NEXT)]


def main() -> None:
    print(*summary(load_params()), sep="\n")


if __name__ == "__main__":
    run_stage(main)
