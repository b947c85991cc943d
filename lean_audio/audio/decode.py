"""Decode audio files to 16-bit mono samples at 16 kHz (paper, III-A), whole or block by block."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr

from lean_audio.audio.channels import check_scale, mix_down
from lean_audio.audio.containers import states_length
from lean_audio.audio.faults import BadClipError, Note, faults_explained, ignore
from lean_audio.audio.opening import (
    ENCODER_PADDING_FRAMES,
    FLOAT_SUBTYPES,
    UNKNOWN_FRAMES,
    Forward,
    open_sound,
    read_frames,
)
from lean_audio.audio.split_zip import DamagedEntryError, read_entry

SAMPLE_RATE_HZ = 16_000
FULL_SCALE = 32_768  # of 16-bit samples

RESAMPLED_FRAMES = 2**15  # at once; what fits the processor's caches is fast

Quality = Literal["VHQ", "HQ", "MQ"]  # of soxr's anti-aliasing filter


def read_clip(
    path: Path | zipfile.Path, resampler: Quality, max_clip_s: float | None = None
) -> np.ndarray:
    """Decode a clip, mix it down, resample it with an anti-aliasing filter, and round to 16 bits.

    Parameters
    ----------
    path
        A file, or an entry of an archive.
    resampler
        soxr quality.
    max_clip_s
        Seconds of the longest clip that is decoded; None for any length.

    Returns
    -------
    numpy.ndarray
        (samples,) int16 at 16 kHz, at least one sample.

    Raises
    ------
    BadClipError
        If the file is damaged, truncated, empty or too long, states an odd rate, or has samples
        that are NaN, infinite or far beyond full scale.
    DiskError
        If the file does not exist or the disk cannot read it.
    """
    return np.concatenate(list(read_blocks(path, resampler, max_clip_s=max_clip_s)))


def read_blocks(
    path: Path | zipfile.Path,
    resampler: Quality,
    *,
    channel: int | None = None,
    max_clip_s: float | None = None,
    note: Note | None = None,
) -> Iterator[np.ndarray]:
    """Decode a clip as read_clip does, in constant memory.

    Parameters
    ----------
    path, resampler, max_clip_s
        As of read_clip.
    channel
        Number of the only channel to use, from 1; None for the mean of all.
    note
        Receives remarks on the sound. With it, a sound that is cut or damaged is read up to there;
        without it, that is an error.

    Yields
    ------
    numpy.ndarray
        (n,) int16 mono at 16 kHz; together the samples that read_clip returns.

    Raises
    ------
    BadClipError, DiskError
        As read_clip.
    """
    source = path if isinstance(path, Path) else _unpacked(path)
    with faults_explained(source), open_sound(source, note, Forward) as file:
        if file.frames < UNKNOWN_FRAMES:  # before hours are spent on it
            refuse_length(file.frames / file.samplerate, max_clip_s)
        yield from _resampled(_mono(file, source, channel, max_clip_s, note), file, resampler)


def _mono(
    file: soundfile.SoundFile,
    source: Path | io.BytesIO,
    channel: int | None,
    max_clip_s: float | None,
    note: Note | None,
) -> Iterator[np.ndarray]:
    """Yield (frames,) float32 mono blocks at the file's own rate."""
    frames = 0
    for channels in read_frames(file, note):
        frames += len(channels)
        refuse_length(frames / file.samplerate, max_clip_s)
        if file.subtype in FLOAT_SUBTYPES:
            check_scale(channels)
        yield mix_down(channels, channel, note or ignore)
    if not frames:
        raise BadClipError("empty: no samples")
    stated = file.frames if file.frames < UNKNOWN_FRAMES else frames
    if frames < stated - ENCODER_PADDING_FRAMES and states_length(source, file.format):
        fault = f"truncated: {frames} of {stated} frames"
        if not note:
            raise BadClipError(fault)
        note(f"{fault}; what is there is used")


def _resampled(
    blocks: Iterator[np.ndarray], file: soundfile.SoundFile, resampler: Quality
) -> Iterator[np.ndarray]:
    """Yield (n,) int16 blocks at 16 kHz, none of them empty."""
    if file.samplerate == SAMPLE_RATE_HZ:
        yield from map(to_int16, blocks)
        return
    stream = soxr.ResampleStream(file.samplerate, SAMPLE_RATE_HZ, 1, "float32", resampler)
    total = 0
    for last, block in _with_last(blocks):
        samples = to_int16(stream.resample_chunk(block, last=last))
        total += len(samples)
        if len(samples):
            yield samples
    if not total:
        raise BadClipError("empty: no samples at 16 kHz")


def _with_last(blocks: Iterator[np.ndarray]) -> Iterator[tuple[bool, np.ndarray]]:
    """Yield (False, a piece) for each piece of the blocks, then (True, an empty one)."""
    for block in blocks:
        for start in range(0, len(block), RESAMPLED_FRAMES):
            yield False, block[start : start + RESAMPLED_FRAMES]
    yield True, np.empty(0, np.float32)


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """Convert (...,) float in [-1, 1) to little-endian int16; values outside are clipped."""
    scaled = np.rint(waveform * np.float32(FULL_SCALE))
    return np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype("<i2")


def to_float(samples: np.ndarray) -> np.ndarray:
    """Convert (...,) int16 to float32 in [-1, 1)."""
    return np.multiply(samples, np.float32(1 / FULL_SCALE), dtype=np.float32)


def refuse_length(length_s: float, max_clip_s: float | None) -> None:
    """Raise BadClipError for a clip that is too long."""
    if max_clip_s is not None and length_s > max_clip_s:
        raise BadClipError(
            f"{length_s:,.0f} s long, more than prepare.max_clip_s ({max_clip_s:g}) allows"
        )


def _unpacked(entry: zipfile.Path) -> io.BytesIO:
    try:
        return io.BytesIO(read_entry(entry))
    except DamagedEntryError as error:
        raise BadClipError(str(error)) from None
