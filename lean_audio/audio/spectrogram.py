"""Spectrograms for pictures of a clip."""

from pathlib import Path
from typing import Any

import numpy as np

from lean_audio.audio.decode import SAMPLE_RATE_HZ, to_float

FFT_SAMPLES, HOP_SAMPLES = 512, 160
MAX_HZ = SAMPLE_RATE_HZ // 2
FLOOR_DB, RANGE_DB = -80, 80
PICTURE_COLUMNS, PICTURE_ROWS = 600, 128


def spectrogram_db(samples: np.ndarray, columns: int) -> np.ndarray:
    """Return the magnitude spectrogram in dB, (257, at most `columns`), 0 Hz first.

    samples: (n,) int16 at 16 kHz, n > 0. Each column is centred on its time in the clip, so the
    picture spans the clip's full length.
    """
    hop = max(HOP_SAMPLES, -(-len(samples) // columns))
    padded = np.pad(to_float(samples), FFT_SAMPLES // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[:-1:hop]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(FFT_SAMPLES)))
    return 20 * np.log10(np.maximum(magnitude.T, 10 ** (FLOOR_DB / 20)))


class GrowingSpectrogram:
    """The spectrogram of sound of any length, from blocks of it, in constant memory.

    columns: at most twice as many are kept. Where a frame is dropped, its neighbour stands for it.
    """

    def __init__(self, columns: int):
        self.samples = 0
        self._columns, self._hop = columns, HOP_SAMPLES
        self._held = np.zeros(FFT_SAMPLES // 2, np.float32)
        self._next = 0  # where the next frame starts in what is held
        self._frames: list[np.ndarray] = []

    def add(self, samples: np.ndarray) -> None:
        """Go on with (n,) int16 at 16 kHz."""
        self.samples += len(samples)
        self._held = np.concatenate([self._held, to_float(samples)])
        self._take_frames()

    def decibels(self) -> np.ndarray:
        """Return the magnitudes in dB, (257, columns), 0 Hz first, when all samples are added."""
        self._held = np.append(self._held, np.zeros(FFT_SAMPLES // 2, np.float32))
        self._take_frames()
        magnitude = np.abs(np.fft.rfft(np.array(self._frames) * np.hanning(FFT_SAMPLES)))
        return 20 * np.log10(np.maximum(magnitude.T, 10 ** (FLOOR_DB / 20)))

    def _take_frames(self) -> None:
        while self._next + FFT_SAMPLES <= len(self._held):
            self._frames.append(self._held[self._next : self._next + FFT_SAMPLES].copy())
            self._next += self._hop
            if len(self._frames) == 2 * self._columns:
                self._frames, self._hop = self._frames[::2], 2 * self._hop
        passed = min(self._next, len(self._held))
        self._held, self._next = self._held[passed:], self._next - passed


def save_spectrogram(path: Path, samples: np.ndarray) -> None:
    """Write a PNG without axes, at most 600 by 128 pixels; same samples, same bytes.

    The colours span the 80 dB below the clip's loudest bin, so quiet clips are visible too.
    """
    from matplotlib.image import imsave

    decibels = spectrogram_db(samples, PICTURE_COLUMNS)[:-1]  # an even number of rows
    rows = decibels.reshape(PICTURE_ROWS, -1, decibels.shape[1]).mean(axis=1)
    no_version: dict[str, Any] = {"Software": None}  # leave matplotlib's version out of the file
    top = max(rows.max(), FLOOR_DB + RANGE_DB)
    imsave(
        path,
        rows,
        vmin=top - RANGE_DB,
        vmax=top,
        cmap="magma",
        origin="lower",
        format="png",
        metadata=no_version,
        pil_kwargs={"optimize": True},
    )
