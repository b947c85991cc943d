"""Rewrite the results table in README.md from metrics/ (`make readme`)."""

from pathlib import Path

from lean_audio.config.params import Params, load_params, load_source
from lean_audio.errors import LeanError
from lean_audio.files import write_text
from lean_audio.report.models import report_models
from lean_audio.report.results import results_table
from stages import run_stage

README = Path("README.md")
DATASETS = ("real-sounds", "demo")
START, END = "<!-- results -->", "<!-- /results -->"


def replace_results(readme: str, table: str) -> str:
    """Replace the text between the two marks by the table.

    Raises LeanError if the marks are missing.
    """
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise LeanError(f"{README} needs the marks {START} and {END}, in this order.")
    return f"{before}{START}\n\n{table}\n{END}{after}"


def update(params: Params) -> None:
    """Rewrite the table in README.md; run from the repository's root."""
    each = [
        params.model_copy(update={"dataset": name, "source": load_source(name)})
        for name in DATASETS
    ]
    table = results_table({own.paths.metrics: report_models(own) for own in each})
    write_text(README, replace_results(README.read_text(encoding="utf-8"), table))


def main() -> None:
    update(load_params())


if __name__ == "__main__":
    run_stage(main)
