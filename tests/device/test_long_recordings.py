"""Recordings of any length: memory stays the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE_HZ = 48_000
MAX_GROWTH_MB = 50
LIMIT_KB = 2_000_000  # as `ulimit -v` takes it
LIMITED = f"""
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_AS, ({LIMIT_KB} * 1024,) * 2)
runpy.run_module("lean_audio.cli", run_name="__main__", alter_sys=True)
"""


def write(path: Path, minutes: float) -> Path:
    """A stereo WAV."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE_HZ, 2, "PCM_16") as file:
        noise = rng.normal(0, 0.1, (10 * RATE_HZ, 2)).astype("f4")
        for turn in range(round(6 * minutes)):
            file.write(np.roll(noise, 999 * turn, axis=0))
    return path


def peak_mb(path: Path, model: Path, *settings: object) -> float:
    """Tag a file in a process of its own; return its largest resident memory."""
    command = [sys.executable, "-c", LIMITED, "predict", path, "--model", model, *settings]
    process = subprocess.Popen([*map(str, command), "--format", "json"], stdout=subprocess.PIPE)
    assert process.stdout
    lines = process.stdout.read().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    length = soundfile.info(path).duration
    assert json.loads(lines[-1])["end_s"] == pytest.approx(length)
    return usage.ru_maxrss / 1024


@pytest.mark.specialist
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's count of memory")
@pytest.mark.parametrize("settings", [(), ("--timeline",), ("--plot",)])
def test_a_long_recording_takes_the_memory_of_a_short_one(shipped, tmp_path, settings):
    if "--plot" in settings:
        settings = (*settings, tmp_path / "out.png")
    peaks = []
    for minutes in (1 / 6, 20):
        path = write(tmp_path / "x.wav", minutes)
        peaks.append(peak_mb(path, shipped, *settings))
    assert peaks[1] - peaks[0] < MAX_GROWTH_MB, peaks
