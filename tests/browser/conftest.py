"""A rendered page for the browser tests."""

import shutil
from pathlib import Path

import pytest
from helpers import ROOT
from report_data import make_run, render


@pytest.fixture(scope="session")
def report_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """index.html of a small run with files for devices and example clips."""
    root = tmp_path_factory.mktemp("report")
    metrics = make_run(root / "demo", "demo", synthetic=True, trained=False)
    for name in ("device.json", "quantize.json", "sensitivity.csv"):
        shutil.copy(ROOT / "metrics/folder" / name, metrics)
    return render(metrics, root / "report") / "index.html"
