"""MLflow's own page, started as `make ui` starts it, in a real browser."""

import json
import os
import re
import signal
import sys
from collections.abc import Iterator

import pytest
from helpers import wait_for
from playwright.sync_api import Browser, Page, expect

expect.set_options(timeout=60_000)  # other tests run beside it
PORT = "5186"
PAIR = ("joint-affinity", "joint-bahdanau")


@pytest.fixture
def page(finished, browser: Browser) -> Iterator[Page]:
    process = finished.start(sys.executable, "-m", "tools.ui", "--port", PORT)
    try:
        wait_for(f"http://127.0.0.1:{PORT}/health")
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(60_000)
        yield page
        page.close()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_two_variants_can_be_compared(finished, page: Page):
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url))
    page.goto(f"http://127.0.0.1:{PORT}/#/experiments/1/runs")
    for variant in PAIR:
        link = page.get_by_role("link", name=f"{variant}-1", exact=True)
        page.get_by_role("row").filter(has=link).get_by_role("checkbox").first.check(force=True)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("Comparing 2 Runs from 1 Experiment")).to_be_visible()
    expect(page.get_by_text("Run details")).to_be_visible()
    expect(page.get_by_text("best_val_mAP", exact=True).last).to_be_visible()
    for variant in PAIR:
        training = json.loads((finished.record(variant) / "training.json").read_text())
        found = (f"{training['val_mAP'] + nudge:.3f}".rstrip("0") for nudge in (-1e-9, 1e-9))
        either = re.compile(
            "|".join(f"^{re.escape(text)}$" for text in found)
        )  # a half, as JS does
        expect(page.get_by_text(either).first).to_be_visible()
    assert {url.split("/")[2] for url in outside if url.startswith("http")} == {f"127.0.0.1:{PORT}"}


def test_without_runs_the_page_says_how_to_make_some(make_clone):
    output = make_clone().run(sys.executable, "-m", "tools.ui", "--port", PORT, fails=True)
    assert output.strip().endswith("mlruns: no runs yet; `make repro` makes some")
