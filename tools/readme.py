"""Rewrites the results table in README.md from metrics/; run as `python -m tools.readme`."""

from pathlib import Path

from lean_audio.config.params import load_params
from lean_audio.errors import LeanError, run_stage
from lean_audio.files import write_text
from lean_audio.report.inputs import Settings
from lean_audio.report.render import results_table

README = Path("README.md")
METRICS_DIRS = (Path("metrics/demo"), Path("metrics/folder"))
START, END = "<!-- results -->", "<!-- /results -->"


def replace_results(readme: str, table: str) -> str:
    """The README with the text between the two marks replaced by the table."""
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise LeanError(f"{README} needs the marks {START} and {END}, in this order.")
    return f"{before}{START}\n\n{table}\n{END}{after}"


def main(settings: Settings) -> None:
    """Replace the block in place, from the repository root."""
    readme = README.read_text(encoding="utf-8")
    table = results_table(METRICS_DIRS, settings)
    write_text(README, replace_results(readme, table))


if __name__ == "__main__":
    run_stage(lambda: main(load_params().settings_sha256))
