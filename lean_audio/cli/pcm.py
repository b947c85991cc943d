"""Read raw samples from a live stream; convert any rate and number of channels to 16 kHz mono."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from lean_audio.audio.arrays import convert_blocks
from lean_audio.audio.decode import Quality
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
    frames = _read_frames(source, max(round(block_s * rate_hz), 1), channels, encoding, fault)
    try:
        yield from convert_blocks(frames, rate_hz, resampler, channel)
    except BadClipError as error:
        raise LeanError(f"-: {error}") from None


def _read_frames(
    source: Source, frames: int, channels: int, encoding: str, fault: Callable[[str], None]
) -> Iterator[np.ndarray]:
    """Yield (n, channels) samples of their stored type; the last block has fewer frames."""
    dtype = ENCODINGS[encoding]
    frame_bytes = dtype.itemsize * channels
    while True:
        data = source.read(frames * frame_bytes)
        if rest := len(data) % frame_bytes:
            fault(
                f"the samples end within a frame of {frame_bytes} bytes "
                f"({channels} x {encoding}); check --channels and --encoding"
            )
        yield np.frombuffer(data[: len(data) - rest], dtype).reshape(-1, channels)
        if len(data) < frames * frame_bytes:
            return
