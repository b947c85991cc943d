"""Decode and resample 44.1-kHz WAV on one core, compared with real time and with librosa."""

import tempfile
from pathlib import Path

import librosa
import numpy as np
import soundfile

from benchmarks.tools import report, seconds
from lean_audio.audio.decode import read_clip

CLIPS, CLIP_S, RATE_HZ = 30, 30, 44_100


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        files = [Path(folder) / f"{number}.wav" for number in range(CLIPS)]
        for file in files:
            soundfile.write(file, rng.uniform(-0.5, 0.5, CLIP_S * RATE_HZ), RATE_HZ)
        read_clip(files[0], "HQ")
        librosa.load(files[0], sr=16_000)
        ours = min(seconds(lambda: [read_clip(file, "HQ") for file in files]) for _ in range(3))
        theirs = min(
            seconds(lambda: [librosa.load(file, sr=16_000) for file in files]) for _ in range(3)
        )
    speed = CLIPS * CLIP_S / ours
    name = "decode + resample, 44.1-kHz mono WAV, one core"
    report(name, f"{speed:.0f} s/s", "real time", speed, ">= 800")
    report(
        name,
        f"{speed:.0f} s/s",
        f"librosa.load {CLIPS * CLIP_S / theirs:.0f} s/s",
        theirs / ours,
        "",
    )


if __name__ == "__main__":
    main()
