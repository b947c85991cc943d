"""The figures in docs/results.md are those of the committed results."""

import json
import re

import pytest
from helpers import ROOT

from lean_audio.config.params import load_params

PAGE = (ROOT / "docs" / "results.md").read_text()
REPORT = (ROOT / "report" / "real-sounds" / "report.md").read_text()
FIGURE = re.compile(r"\W?\d+\.\d{3,}(?: to \W?\d+\.\d{3,})?")
MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row."""
    lines = (line for line in text.splitlines() if line.startswith("| "))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def model(cell: str) -> str:
    """Return the model a row is about: "**x** (headline)" in the report, "x (LEAN)" here."""
    return cell.replace("*", "").split(" (")[0]


def test_figures_of_a_model_are_in_its_rows_of_the_report():
    reported = {name: set() for name in load_params(ROOT / "params.yaml").models}
    for first, *cells in rows(REPORT):
        reported.get(model(first), set()).update(cells)
    stated = [row for row in rows(PAGE) if model(row[0]) in reported and "`" not in row[1]]
    assert len(stated) > 15
    for name, *cells in stated:
        figures = {cell for cell in cells if FIGURE.fullmatch(cell)}
        assert figures
        assert figures <= reported[model(name)], name


@pytest.mark.parametrize(("model", "file"), [("LEAN", "device.json"), ("plus", "plus.device.json")])
def test_figures_of_device_files_are_those_measured(model, file):
    measured = json.loads((ROOT / "metrics" / "real-sounds" / file).read_text())
    baseline = measured["baseline"]["latency"]["1"]["median_ms"]
    stated = [row for row in rows(PAGE) if row[0] == model and row[1].startswith("`")]
    assert len(stated) == 2
    for _, scheme, *figures in stated:
        name, _, shipped = scheme.replace("`", "").partition(", ")
        found = measured["schemes"][name]
        low, high = found["mAP_drop_ci95"]
        assert bool(shipped) == (measured["shipped"] == name)
        assert [figure.replace(MINUS, "-") for figure in figures] == [
            f"{found['bytes'] / 1e6:.2f}",
            f"{-found['mAP_drop']:+.4f}",
            f"{low:.4f} to {high:.4f}",
            f"{found['latency']['1']['median_ms'] / baseline:.2f} {TIMES}",
        ]
