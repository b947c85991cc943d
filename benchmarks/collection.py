"""Time `lean-audio predict` on a collection of short files, on one process and on two.

It is compared with the bare interpreter on chunks that are ready in memory, timed before and after.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.predict import MODELS
from benchmarks.tools import report, seconds
from lean_audio.audio.chunking import CHUNK_SAMPLES, chunk_views
from lean_audio.audio.decode import to_float
from lean_audio.tflite.card import read_card
from lean_audio.tflite.runtime import Runtime

FILES, MAX_S = 2000, 3  # of 1 s, 2 s, 3 s and again


def write_files(folder: Path, files: int) -> list[np.ndarray]:
    """Write noise; return the samples of each file, int16."""
    rng = np.random.default_rng(0)
    sounds = []
    for number in range(files):
        sound = rng.integers(-3000, 3000, (1 + number % MAX_S) * 16_000, dtype=np.int16)
        soundfile.write(folder / f"{number:05d}.wav", sound, 16_000)
        sounds.append(sound)
    return sounds


def time_bare(model: Path, sounds: list[np.ndarray]) -> float:
    """Return the seconds that the interpreter takes for all chunks of the sounds."""
    card = read_card(model)[1]
    hop = round(card["hop_s"] * 16_000)
    ready = [
        np.resize(to_float(sound[start : start + length]), CHUNK_SAMPLES)
        for sound in sounds
        for start, length in chunk_views(len(sound), hop, card["tail"])
    ]
    runtime = Runtime(model)
    return seconds(lambda: [runtime(waveform) for waveform in ready])


def time_predict(model: Path, folder: Path, jobs: int) -> float:
    """Return the seconds that the whole command takes."""
    command = [sys.executable, "-m", "lean_audio.cli", "predict", folder, "--model", model]
    settings = ["--jobs", str(jobs), "--format", "csv", "--output", folder / f"{jobs}.csv"]
    return seconds(lambda: subprocess.run([*command, *settings], check=True))


def main() -> None:
    files = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    models = sorted(MODELS.glob("*/lean.tflite"))
    if not models:
        print("| collection: no models/*/lean.tflite, run `dvc repro` first | | | | |")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sounds = write_files(folder, files)
        few = sounds[: max(files // 10, 1)]
        bare = [time_bare(models[0], few)]
        one = time_predict(models[0], folder, 1)
        bare.append(time_bare(models[0], few))
        two = time_predict(models[0], folder, 2)
        bare_s = sum(bare) / 2 * len(sounds) / len(few)
    what = f"predict, {files:,} files of 1 to {MAX_S} s"
    rate, alternative = f"{files / one:.1f} files/s", f"{files / bare_s:.1f} files/s"
    report(f"{what}, one process", rate, f"bare interpreter {alternative}", bare_s / one, ">= 0.90")
    report(f"{what}, --jobs 2", f"{files / two:.1f} files/s", f"one {rate}", one / two, ">= 1.8")


if __name__ == "__main__":
    main()
