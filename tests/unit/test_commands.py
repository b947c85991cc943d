"""What the Makefile starts, and what `make paper` says before it does."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest
from helpers import ROOT

from lean_audio.errors import LeanError
from tools import paper


def test_every_module_the_makefile_starts_is_there():
    started = re.findall(r"python -m ([\w.]+)", (ROOT / "Makefile").read_text())
    assert {"tools.paper", "tools.readme", "tools.ui", "benchmarks"} <= set(started)
    assert all(find_spec(module) for module in started)


def test_a_gpu_environment_is_not_replaced_by_targets_that_do_not_name_it(tmp_path):
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)

    def plan(*arguments: str) -> str:
        command = ["make", "--dry-run", "ui", *arguments]
        return subprocess.check_output(command, cwd=tmp_path, text=True)

    assert "requirements/cpu.lock" in plan()
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "ready-gpu").touch()
    assert "requirements" not in plan()
    assert "requirements/cpu.lock" in plan("GPU=")


def test_a_stage_searches_for_garbage_while_it_works_and_not_while_it_starts():
    program = (
        "import gc, stages; from lean_audio.errors import run_stage;"
        "print(gc.isenabled()); run_stage(lambda: print(gc.isenabled()))"
    )
    command = [sys.executable, "-c", program]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert printed.split() == ["False", "True"]


def test_the_plan_names_bytes_disk_and_hours_of_every_stage(params):
    download, disk, time, source = paper.plan(params, 24_678_734_449, 60_000_000_000)
    assert "24,678,734,449 bytes" in download
    assert "60.0 GB" in disk
    assert re.search(
        r"prepare [1-9]\d* min and embed [1-9]\d* min on \d+ cores, then \d+ h for", time
    )
    assert "projected from benchmarks/scale.csv" in source


def test_without_measurements_there_is_no_plan(params, monkeypatch, tmp_path):
    monkeypatch.setattr(paper, "RESULTS", tmp_path / "scale.csv")
    with pytest.raises(LeanError, match=r"scale\.csv is missing: `python -m benchmarks scale`"):
        paper.plan(params, 1, 1)
