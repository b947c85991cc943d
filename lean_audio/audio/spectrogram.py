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
