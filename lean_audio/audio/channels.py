"""From channels to mono: the mean, or one channel."""

import numpy as np

from lean_audio.audio.faults import BadClipError, Note, ignore

SILENT_DBFS = -70.0  # root mean square; below it there is nothing to call
SILENT_RMS = 10 ** (SILENT_DBFS / 20)
MAX_MIX_LOSS_DB = 20.0
MAX_PEAK = 16.0  # full scale is 1; recordings exceed it by a few decibels at most


def mix_down(channels: np.ndarray, channel: int | None = None, note: Note = ignore) -> np.ndarray:
    """Return mono samples: one channel, or the mean of all.

    Where the channels cancel out, so that their mean is more than MAX_MIX_LOSS_DB below the
    loudest, that one is returned.

    Parameters
    ----------
    channels
        (frames, channels) float32.
    channel
        Number of the one to return, from 1; None for the mean.
    note
        Receives a remark if the channels cancel out.

    Raises
    ------
    BadClipError
        If there is no such channel, or a sample is NaN or infinite.
    """
    if channel is not None:
        if not 1 <= channel <= channels.shape[1]:
            raise BadClipError(f"has {channels.shape[1]} channels, so no channel {channel}")
        channels = channels[:, channel - 1 : channel]
    if not np.isfinite(channels).all():
        raise BadClipError("contains samples that are NaN or infinite")
    if channels.shape[1] == 1:
        return channels[:, 0]
    mono = channels.mean(axis=1)
    if len(channels):
        powers = np.square(channels).mean(axis=0, dtype=np.float64)
        loudest = int(powers.argmax())
        least = powers[loudest] / 10 ** (MAX_MIX_LOSS_DB / 10)
        if powers[loudest] > SILENT_RMS**2 and np.square(mono).mean(dtype=np.float64) < least:
            note("its channels cancel out; the loudest is used")
            return channels[:, loudest].copy()
    return mono


def check_scale(samples: np.ndarray) -> None:
    """Raise BadClipError for stored float samples that are on the scale of integers."""
    peak = max(samples.max(), -samples.min()) if samples.size else 0.0
    if MAX_PEAK < peak < np.inf:
        raise BadClipError(
            f"samples reach {peak:,.0f}, but full scale is 1: divide them, for example by 32768"
        )


def is_silent(waveform: np.ndarray) -> bool:
    """Return whether sound is below SILENT_DBFS. waveform: (n,) float32; its mean is left out."""
    power = np.dot(waveform, waveform) / max(len(waveform), 1)
    mean = waveform.sum() / max(len(waveform), 1)
    if power - mean**2 > max(2 * SILENT_RMS**2, 0.01 * power):
        return False  # as most sound is, beyond what rounding can change; the exact way is slow
    return bool(waveform.std() < SILENT_RMS)
