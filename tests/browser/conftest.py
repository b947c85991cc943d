"""A system browser, driven by Playwright; skipped where there is none."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import ROOT
from playwright.sync_api import Browser, sync_playwright
from report_data import make_run, render

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser to drive: none of {', '.join(NAMES)} is on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def report_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """index.html of a small run with files for devices and example clips."""
    root = tmp_path_factory.mktemp("report")
    metrics = make_run(root / "demo", "demo", synthetic=True, trained=False)
    for name in ("device.json", "quantize.json", "sensitivity.csv"):
        shutil.copy(ROOT / "metrics/folder" / name, metrics)
    return render(metrics, root / "report") / "index.html"
