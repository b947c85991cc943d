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


def test_a_stages_options_are_its_parameters_and_an_error_is_its_sentence():
    program = """
from lean_audio.errors import LeanError
from stages import run_stage
def main(model: str, seed: int) -> None:
    raise LeanError(f"{model} {seed + 1}")
run_stage(main)
"""
    command = [sys.executable, "-c", program, "--model", "a;touch X", "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "error: a;touch X 2\n")
    done = subprocess.run(command[:-2], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "--seed" in done.stderr


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
