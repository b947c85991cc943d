"""Time `lean-audio predict`, compared with a process that only imports TensorFlow."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.tools import report, seconds

MODELS = Path("models")


def run_s(command: list) -> float:
    """Return the seconds of the fastest of three runs, after one that warms the disk's cache."""

    def run() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    run()
    return min(seconds(run) for _ in range(3))


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


if __name__ == "__main__":
    main()
