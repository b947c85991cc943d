"""Measure every clip's sound: its level, its clipping, and a fingerprint to recognise it by.

The fingerprint is the spectrogram of half a second at the clip's loudest moment, relative to its
maximum. A copy that is quieter, encoded again, or cut elsewhere has almost the same one.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lean_audio.audio.decode import FULL_SCALE, SAMPLE_RATE_HZ
from lean_audio.features.chunks import Chunks
from lean_audio.screen import progress

BLOCK = 80  # samples (5 ms) whose energies are added up to find the loudest moment
LOUD_BLOCKS = 10  # its length (50 ms)
PIECE = 2**18 * BLOCK  # samples of a long clip that are converted at a time
WINDOW, HOP, FRAMES, BANDS = 512, 256, 32, 32  # of the fingerprint's spectrogram
LOWEST_HZ, HIGHEST_HZ = 100, 7800
FLOOR = 1e-5  # of a band's power, relative to the maximum: 50 dB below it


@dataclass(frozen=True)
class Sounds:
    """What was measured of the clips of one split, row by row with its clip table.

    levels: peak (of full scale), clipped (fraction of samples at full scale), digest (of the
    samples) and loudest (the sample in the middle of the loudest 50 ms); fingerprints: (clips,
    BANDS * FRAMES) float32 of length 1, or 0 for digital silence.
    """

    chunks: Chunks
    levels: pd.DataFrame
    fingerprints: np.ndarray


def measure_sounds(chunks: Chunks) -> Sounds:
    """Measure the clips of one split one after the other."""
    rows, prints = [], np.zeros((len(chunks.clips), BANDS * FRAMES), np.float32)
    for row in progress(range(len(chunks.clips)), "measure sounds"):
        samples = chunks.clip_samples(row)
        rows.append(level(samples))
        prints[row] = fingerprint(samples, rows[-1]["loudest"])
    return Sounds(chunks, pd.DataFrame(rows), prints)


def level(samples: np.ndarray) -> dict[str, float | int | str]:
    """Return peak, clipped, digest and loudest of a clip; samples: (samples,) int16."""
    peak = max(int(samples.max()), -int(samples.min()))
    full = np.count_nonzero((samples >= FULL_SCALE - 1) | (samples <= 1 - FULL_SCALE))
    return {
        "peak": peak / FULL_SCALE,
        "clipped": full / len(samples),
        "digest": hashlib.md5(samples.tobytes(), usedforsecurity=False).hexdigest(),
        "loudest": loudest(samples),
    }


def loudest(samples: np.ndarray) -> int:
    """Return the sample in the middle of the loudest LOUD_BLOCKS blocks."""
    energies = np.concatenate(list(_block_energies(samples)))
    around = np.convolve(energies, np.ones(LOUD_BLOCKS), mode="same")
    return min(int(around.argmax()) * BLOCK, len(samples) - 1)


def _block_energies(samples: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(samples), PIECE):
        squares = np.square(samples[start : start + PIECE], dtype=np.float64)
        yield np.add.reduceat(squares, np.arange(0, len(squares), BLOCK))


def fingerprint(samples: np.ndarray, at: int) -> np.ndarray:
    """Return the fingerprint of the sound around sample `at`, (BANDS * FRAMES,) float32."""
    length = HOP * (FRAMES - 1) + WINDOW
    sound = cut(samples, at - length // 4, length).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames)) ** 2 @ _bands()  # (FRAMES, BANDS)
    if not power.any():
        return np.zeros(power.size, np.float32)
    shape = np.log10(power / power.max() + FLOOR).ravel()
    shape -= shape.mean()
    return (shape / max(float(np.linalg.norm(shape)), FLOOR)).astype(np.float32)


def cut(samples: np.ndarray, start: int, length: int) -> np.ndarray:
    """Return samples[start : start + length], zero beyond both ends."""
    part = samples[max(start, 0) : max(start + length, 0)]
    before = min(max(-start, 0), length)
    return np.pad(part, (before, length - before - len(part)))


def _bands() -> np.ndarray:
    """Return which band each frequency is in, (WINDOW // 2 + 1, BANDS) of 0 and 1."""
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1)
    lower, upper = edges[:-1], np.maximum(edges[1:], edges[:-1] + SAMPLE_RATE_HZ / WINDOW)
    hz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE_HZ)[:, None]
    return ((hz >= lower) & (hz < upper)).astype(np.float64)
