"""Rewrite the results table in README.md from metrics/ (`make readme`)."""

from pathlib import Path

from lean_audio.config.params import load_params
from lean_audio.errors import LeanError
from lean_audio.files import write_text
from lean_audio.report.models import Models, report_models
from lean_audio.report.render import results_table
from stages import run_stage

README = Path("README.md")
METRICS_DIRS = (Path("metrics/demo"), Path("metrics/folder"))
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


def update(models: Models) -> None:
    """Rewrite the table in README.md; run from the repository's root."""
    readme = README.read_text(encoding="utf-8")
    write_text(README, replace_results(readme, results_table(METRICS_DIRS, models)))


def main() -> None:
    update(report_models(load_params()))


if __name__ == "__main__":
    run_stage(main)
