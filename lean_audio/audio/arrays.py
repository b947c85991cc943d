"""Samples in memory, whole or in blocks as they arrive: any type, rate and number of channels."""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from lean_audio.audio.channels import check_scale, mix_down
from lean_audio.audio.decode import SAMPLE_RATE_HZ, Quality, to_int16
from lean_audio.audio.faults import BadClipError
from lean_audio.audio.opening import MAX_RATE_HZ, MIN_RATE_HZ

FULL_SCALES = {"int16": 2**15, "int32": 2**31, "float32": 1, "float64": 1}  # type -> 1.0 in it

MAX_CHANNELS = 1024  # as of sound files; more are the samples of (channels, n)


def convert_blocks(
    blocks: Iterable[np.ndarray], rate_hz: float, resampler: Quality, channel: int | None = None
) -> Iterator[np.ndarray]:
    """Convert blocks of samples to 16-bit mono at 16 kHz, in constant memory.

    Parameters
    ----------
    blocks
        (n,) or (n, channels) each; int16, int32, or float32 or float64 in [-1, 1).
    rate_hz
        Their sampling rate.
    resampler
        soxr quality.
    channel
        Number of the only channel to use, from 1; None for the mean of all.

    Yields
    ------
    numpy.ndarray
        (n,) int16 at 16 kHz, none of them empty.

    Raises
    ------
    BadClipError
        If type, shape or rate are others, there is no such channel, or a sample is NaN, infinite or
        far beyond full scale.
    """
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise BadClipError(
            f"the rate is {rate_hz:g} Hz; allowed are {MIN_RATE_HZ:,} to {MAX_RATE_HZ:,} Hz"
        )
    mono = (_mono(np.asarray(block), channel) for block in blocks)
    if rate_hz != SAMPLE_RATE_HZ:
        mono = _resampled(mono, rate_hz, resampler)
    yield from (to_int16(block) for block in mono if len(block))


def _mono(samples: np.ndarray, channel: int | None) -> np.ndarray:
    """Return (n,) float32 in [-1, 1)."""
    full_scale = FULL_SCALES.get(samples.dtype.name)
    if full_scale is None or samples.ndim not in (1, 2) or samples.shape[1:] == (0,):
        raise BadClipError(
            f"samples are {samples.dtype} of shape {samples.shape}; allowed are "
            f"{', '.join(FULL_SCALES)} of shape (n,) or (n, channels)"
        )
    channels = samples if samples.ndim == 2 else samples[:, None]
    if channels.shape[1] > MAX_CHANNELS:
        raise BadClipError(
            f"samples have shape {samples.shape}, which is {channels.shape[1]:,} channels of "
            f"{len(samples):,} samples; (n, channels) is wanted, so transpose them"
        )
    if full_scale == 1:
        check_scale(channels)
        return mix_down(channels.astype(np.float32, copy=False), channel)
    return mix_down(np.divide(channels, np.float32(full_scale), dtype=np.float32), channel)


def _resampled(
    blocks: Iterable[np.ndarray], rate_hz: float, resampler: Quality
) -> Iterator[np.ndarray]:
    stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, "float32", resampler)
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)
