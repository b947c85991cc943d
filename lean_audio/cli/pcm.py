"""Read raw samples from a live stream; convert any rate and number of channels to 16 kHz mono."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import soxr

from lean_audio.audio.channels import check_scale, mix_down
from lean_audio.audio.decode import FULL_SCALE, SAMPLE_RATE_HZ, Quality, to_int16
from lean_audio.audio.faults import BadClipError
from lean_audio.errors import LeanError


class Source(Protocol):
    """What raw samples are read from."""

    def read(self, size: int, /) -> bytes: ...


ENCODINGS = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}


def read_pcm(
    source: Source,
    *,
    rate_hz: int,
    channels: int,
    encoding: str,
    resampler: Quality,
    block_s: float,
    channel: int | None = None,
    fault: Callable[[str], None],
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
    channel
        Number of the only channel to use, from 1; None for the mean of all.
    fault
        Receives a sentence if the stream ends within a frame; the frames before it are used.

    Yields
    ------
    numpy.ndarray
        (n,) int16 mono at 16 kHz.

    Raises
    ------
    LeanError
        If a sample is NaN, infinite or far beyond full scale, or there is no such channel.
    """
    dtype = ENCODINGS[encoding]
    frame_bytes = dtype.itemsize * channels
    block_bytes = max(round(block_s * rate_hz), 1) * frame_bytes
    stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, "float32", resampler)
    while True:
        data = source.read(block_bytes)
        last = len(data) < block_bytes
        if rest := len(data) % frame_bytes:
            fault(
                f"the samples end within a frame of {frame_bytes} bytes "
                f"({channels} x {encoding}); check --channels and --encoding"
            )
        mono = _mono(np.frombuffer(data[: len(data) - rest], dtype), channels, channel)
        if rate_hz != SAMPLE_RATE_HZ:
            mono = stream.resample_chunk(mono, last=last)
        if len(mono):
            yield to_int16(mono)
        if last:
            return


def _mono(samples: np.ndarray, channels: int, channel: int | None) -> np.ndarray:
    """Mix interleaved samples down to (frames,) float32 in [-1, 1)."""
    if samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / np.float32(FULL_SCALE)
    try:
        check_scale(samples)
        return mix_down(samples.reshape(-1, channels).astype(np.float32, copy=False), channel)
    except BadClipError as error:
        raise LeanError(f"-: {error}") from None
