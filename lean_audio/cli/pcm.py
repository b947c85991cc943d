"""Read raw samples from a live stream; convert any rate and number of channels to 16 kHz mono."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import soxr

from lean_audio.audio.decode import FULL_SCALE, SAMPLE_RATE_HZ, Quality, to_int16
from lean_audio.errors import LeanError

ENCODINGS = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}


def read_pcm(
    source: BinaryIO,
    *,
    rate_hz: int,
    channels: int,
    encoding: str,
    resampler: Quality,
    block_s: float,
) -> Iterator[np.ndarray]:
    """Yield blocks of samples as they arrive.

    Parameters
    ----------
    source
        Raw interleaved samples.
    rate_hz, channels, encoding
        Their sampling rate, number of channels, and type (one of ENCODINGS).
    resampler
        soxr quality.
    block_s
        Seconds of sound per block; the last block may be shorter.

    Yields
    ------
    numpy.ndarray
        (n,) int16 mono at 16 kHz.

    Raises
    ------
    LeanError
        If a sample is NaN or infinite, or the stream ends within a frame.
    """
    dtype = ENCODINGS[encoding]
    frame_bytes = dtype.itemsize * channels
    block_bytes = max(round(block_s * rate_hz), 1) * frame_bytes
    stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, "float32", resampler)
    while True:
        data = source.read(block_bytes)
        if len(data) % frame_bytes:
            raise LeanError(
                f"-: the samples end within a frame of {frame_bytes} bytes "
                f"({channels} x {encoding}); check --channels and --encoding"
            )
        last = len(data) < block_bytes
        mono = _mono(np.frombuffer(data, dtype), channels)
        if rate_hz != SAMPLE_RATE_HZ:
            mono = stream.resample_chunk(mono, last=last)
        if len(mono):
            yield to_int16(mono)
        if last:
            return


def _mono(samples: np.ndarray, channels: int) -> np.ndarray:
    """Mix interleaved samples down to (frames,) float32 in [-1, 1)."""
    if samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / np.float32(FULL_SCALE)
    if not np.isfinite(samples).all():
        raise LeanError("-: contains samples that are NaN or infinite")
    return samples.reshape(-1, channels).mean(axis=1, dtype=np.float32)
