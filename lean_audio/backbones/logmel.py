"""The log-mel patch that YAMNet was trained on, as a Keras layer (paper, III-A).

Window 25 ms, hop 10 ms, FFT 512, periodic Hann, magnitude spectrum, 64 HTK mel bands from 125
to 7500 Hz, log(mel + 0.001). 96 frames take 15,600 samples: the patch of a chunk covers its first
975 ms.
"""

import keras
import numpy as np
from keras import ops

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


class LogMel(keras.layers.Layer):
    """Computes log-mel patches: waveform (batch, >= 15600) in [-1, 1) to (batch, 96, 64).

    mean_normalization: whether to subtract each band's mean over the patch (paper, IV; YAMNet was
    trained without it).
    """

    def __init__(self, mean_normalization: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.mean_normalization = mean_normalization
        self._mel = mel_weights()
        self._window = hann_window()

    def call(self, waveform):
        frames = ops.extract_sequences(
            waveform[:, :PATCH_SAMPLES], WINDOW_SAMPLES, HOP_SAMPLES
        )  # (batch, 96, 400)
        real, imaginary = ops.rfft(frames * self._window, fft_length=FFT_SAMPLES)
        magnitude = ops.sqrt(ops.square(real) + ops.square(imaginary))  # (batch, 96, 257)
        patch = ops.log(ops.matmul(magnitude, self._mel) + LOG_OFFSET)
        if self.mean_normalization:
            patch = patch - ops.mean(patch, axis=1, keepdims=True)
        return patch

    def compute_output_shape(self, input_shape):
        return (input_shape[0], FRAMES, BANDS)
