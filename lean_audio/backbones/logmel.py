"""The log-mel patch of audio.log_mel as a Keras layer (paper, III-A)."""

import keras
from keras import ops

from lean_audio.audio.log_mel import (
    BANDS,
    FFT_SAMPLES,
    FRAMES,
    HOP_SAMPLES,
    LOG_OFFSET,
    PATCH_SAMPLES,
    WINDOW_SAMPLES,
    hann_window,
    mel_weights,
)


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
