"""The log-mel patch that YAMNet was trained on, in NumPy (paper, III-A).

Window 25 ms, hop 10 ms, FFT 512, periodic Hann, magnitude spectrum, 64 HTK mel bands from 125
to 7500 Hz, log(mel + 0.001). 96 frames take 15,600 samples: the patch of a chunk covers its first
975 ms. docs/log_mel.c is the same in C.
"""

from functools import cache

import numpy as np

from lean_audio.audio.decode import SAMPLE_RATE_HZ

WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
FFT_SAMPLES = 512
FRAMES = 96
BANDS = 64
LOW_HZ, HIGH_HZ = 125.0, 7500.0
LOG_OFFSET = 0.001
PATCH_SAMPLES = (FRAMES - 1) * HOP_SAMPLES + WINDOW_SAMPLES  # 15,600


def hz_to_mel(frequency_hz: np.ndarray | float) -> np.ndarray:
    """Convert Hz to the HTK mel scale."""
    return 1127.0 * np.log1p(np.asarray(frequency_hz, np.float64) / 700.0)


def mel_weights() -> np.ndarray:
    """Return the mel filters, (257, 64) float32: triangles in mel that leave out the DC bin."""
    bins = hz_to_mel(np.linspace(0.0, SAMPLE_RATE_HZ / 2, FFT_SAMPLES // 2 + 1))[:, None]
    edges = np.linspace(hz_to_mel(LOW_HZ), hz_to_mel(HIGH_HZ), BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    triangles[0] = 0.0
    return np.maximum(triangles, 0.0).astype(np.float32)


def hann_window() -> np.ndarray:
    """Return the periodic Hann window, (400,) float32."""
    phase = 2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


def log_mel(waveform: np.ndarray) -> np.ndarray:
    """Compute the patch of a chunk, (96, 64) float32.

    waveform: (n,) float32 in [-1, 1), n >= 15,600.
    """
    views = np.lib.stride_tricks.sliding_window_view(waveform[:PATCH_SAMPLES], WINDOW_SAMPLES)
    spectrum = np.fft.rfft(views[::HOP_SAMPLES] * _window(), FFT_SAMPLES)  # (96, 257)
    return np.log(np.abs(spectrum) @ _filters() + LOG_OFFSET).astype(np.float32)


_filters, _window = cache(mel_weights), cache(hann_window)
