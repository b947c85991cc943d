"""Time `lean-audio predict` and measure its memory on short and long recordings."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.tools import report, seconds

MODELS = Path("models")
SHORT_S, LONG_S = 10, 3 * 3600


def run_s(command: list) -> float:
    """Return the seconds of the fastest of three runs, after one that warms the disk's cache."""

    def run() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    run()
    return min(seconds(run) for _ in range(3))


def peak_mb(model: Path, sound: Path) -> float:
    """Tag a sound in a process of its own and return its largest resident memory."""
    command = [sys.executable, "-m", "lean_audio.cli", "predict", sound, "--model", model]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise RuntimeError(f"predict failed with status {status}")
    return usage.ru_maxrss / 1024


def write_noise(path: Path, length_s: int) -> None:
    """Write a 48-kHz stereo WAV."""
    second = np.random.default_rng(0).normal(0, 0.1, (48_000, 2))
    with soundfile.SoundFile(path, "w", 48_000, 2) as file:
        for _ in range(length_s):
            file.write(second)


def report_memory(model: Path) -> None:
    """Compare the memory that a long recording takes with that of a short one."""
    with tempfile.TemporaryDirectory() as folder:
        sound, peaks = Path(folder) / "noise.wav", []
        for length_s in (SHORT_S, LONG_S):
            write_noise(sound, length_s)
            peaks.append(peak_mb(model, sound))
    report(
        f"predict, peak memory, {LONG_S / 3600:g} h of 48-kHz stereo",
        f"{peaks[1]:.0f} MB",
        f"{SHORT_S} s {peaks[0]:.0f} MB",
        peaks[1] / peaks[0],
        "+ 50 MB",
    )


def main() -> None:
    models = sorted(MODELS.glob("*/lean.tflite"))
    if not models:
        print("| predict: no models/*/lean.tflite, run `dvc repro` first | | | | |")
        return
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "noise.wav"
        soundfile.write(sound, np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
        ours = [sys.executable, "-m", "lean_audio.cli", "predict", sound, "--model", models[0]]
        theirs = [sys.executable, "-c", "import tensorflow"]
        taken = [run_s(command) for command in (ours, theirs)]
    report(
        "predict a 1-s clip, whole process",
        f"{taken[0]:.2f} s",
        f"import tensorflow {taken[1]:.2f} s",
        taken[0] / taken[1],
        "< 1.5 s",
    )
    report_memory(models[0])


if __name__ == "__main__":
    main()
