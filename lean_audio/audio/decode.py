"""Decode audio files to 16-bit mono samples at 16 kHz (paper, III-A)."""

import io
import os
import re
import socket
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import soundfile
import soxr

from lean_audio.audio.split_zip import DamagedEntryError, read_entry
from lean_audio.errors import LeanError

SAMPLE_RATE_HZ = 16_000
FULL_SCALE = 32_768  # of 16-bit samples
MIN_RATE_HZ = 1_000  # a header that states less is wrong: no recorder is that slow
# Of files that libsndfile reads, and of common ones that it does not
SUFFIXES = frozenset(f".{name.lower()}" for name in soundfile.available_formats()) | {
    *(".aif", ".opus", ".oga", ".wave")
}
UNREADABLE_SUFFIXES = frozenset(
    (".3gp", ".aac", ".ac3", ".amr", ".ape", ".m4a", ".mka", ".mp4", ".webm", ".wma", ".wv")
)

Quality = Literal["VHQ", "HQ", "MQ"]  # of soxr's anti-aliasing filter

# libsndfile's log when a header promises more audio than the file holds
_CUT_HEADER = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_UNKNOWN_LENGTH = 0x7FFF_0000  # a streaming recorder cannot know the length and writes this
UNKNOWN_FRAMES = 2**62  # libsndfile's count if a header states no length is above
_PAGE_BYTES, _OGG_LAST_PAGE = 65_536, 0x04
_BLOCK_BYTES = 2**20
_MP3_LENGTH_TAGS = (b"Xing\0\0\0", b"Info\0\0\0")
ENCODER_PADDING_FRAMES = 2_400  # an MP3's stated length may count padding that decoders drop


class BadClipError(Exception):
    """One clip cannot be used; the run sets it aside and continues."""


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
        If the file is damaged, truncated, empty or too long, states a rate below MIN_RATE_HZ, or
        has samples that are NaN or infinite.
    LeanError
        If the file does not exist or the disk cannot read it.
    """
    waveform, rate_hz = _decode(path, max_clip_s)
    if rate_hz != SAMPLE_RATE_HZ:
        waveform = soxr.resample(waveform, rate_hz, SAMPLE_RATE_HZ, quality=resampler)
    if not len(waveform):
        raise BadClipError("empty: no samples at 16 kHz")
    return to_int16(waveform)


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """Convert (...,) float in [-1, 1) to little-endian int16; values outside are clipped."""
    scaled = np.rint(waveform * np.float32(FULL_SCALE))
    return np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype("<i2")


def to_float(samples: np.ndarray) -> np.ndarray:
    """Convert (...,) int16 to float32 in [-1, 1)."""
    return np.multiply(samples, np.float32(1 / FULL_SCALE), dtype=np.float32)


def _decode(path: Path | zipfile.Path, max_clip_s: float | None) -> tuple[np.ndarray, int]:
    """Return (samples,) float32 mono at the file's own rate, and that rate in Hz."""
    source = path if isinstance(path, Path) else _unpacked(path)
    frames = 0
    try:
        with faults_explained(source), open_sound(source) as file:
            frames, rate_hz = file.frames, file.samplerate
            _refuse_length(frames, rate_hz, max_clip_s)
            channels = file.read(dtype="float32", always_2d=True)  # (frames, channels)
    except (ValueError, MemoryError):  # of a length that the header states, or does not
        stated = f"{frames:,} samples" if frames < UNKNOWN_FRAMES else "no length"
        raise BadClipError(f"unreadable: its header states {stated}") from None
    if len(channels) < frames - ENCODER_PADDING_FRAMES and _states_length(source, path.suffix):
        raise BadClipError(f"truncated: {len(channels)} of {frames} frames")
    return mix_down(channels), rate_hz


@contextmanager
def faults_explained(source: Path | io.BytesIO) -> Iterator[None]:
    """Turn what is wrong with a sound into BadClipError, and with its disk into LeanError."""
    try:
        yield
    except (soundfile.SoundFileError, OSError, TypeError) as error:  # TypeError: headerless .raw
        _blame_the_disk(source)
        raise BadClipError(f"unreadable: {_reason(error)}") from None


def open_sound(source: Path | io.BytesIO) -> soundfile.SoundFile:
    """Open a sound; raise BadClipError if it is cut or states an odd rate."""
    file = soundfile.SoundFile(_for_libsndfile(source))
    try:
        _refuse_cut_header(file.extra_info)
        if file.format == "OGG":
            _refuse_cut_ogg(source)
        if file.samplerate < MIN_RATE_HZ:
            stated = f"{file.samplerate} Hz, less than {MIN_RATE_HZ:,} Hz"
            raise BadClipError(f"its header states {stated}")
    except BadClipError:
        file.close()
        raise
    return file


def mix_down(channels: np.ndarray) -> np.ndarray:
    """Return the mean of (frames, channels); raise BadClipError for no samples, or odd ones."""
    if not len(channels):
        raise BadClipError("empty: no samples")
    if not np.isfinite(channels).all():
        raise BadClipError("contains samples that are NaN or infinite")
    return channels.mean(axis=1)


def _blame_the_disk(source: Path | io.BytesIO) -> None:
    """Raise LeanError if the disk cannot read the file: then the clip itself is not at fault."""
    try:
        if isinstance(source, Path):
            with source.open("rb") as file:
                while file.read(_BLOCK_BYTES):
                    pass
    except OSError as error:
        raise LeanError(
            f"{source} cannot be read on {socket.gethostname()}: {error.strerror}; every host "
            "needs the sounds under the same path (docs/cluster.md)"
        ) from None


def _refuse_cut_header(notes: str) -> None:
    for stated, held in _CUT_HEADER.findall(notes):
        if int(held) < int(stated) < _UNKNOWN_LENGTH:
            raise BadClipError(f"truncated: {held} of {stated} bytes of samples")


def _refuse_length(frames: int, rate_hz: int, max_clip_s: float | None) -> None:
    """Refuse what would take hours and gigabytes, before any sample is read."""
    if frames < UNKNOWN_FRAMES:
        refuse_length(frames / rate_hz, max_clip_s)


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


def _for_libsndfile(source: Path | io.BytesIO) -> bytes | io.BytesIO:
    return os.fsencode(source) if isinstance(source, Path) else source


@contextmanager
def _opened(source: Path | io.BytesIO) -> Iterator[BinaryIO]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        source.seek(0)
        yield source


def _states_length(source: Path | io.BytesIO, suffix: str) -> bool:
    """Return whether a file states its length; an MP3 without a length tag does not.

    libsndfile then guesses the length from the bit rate. With a variable bit rate the guess may be
    too high, or too low, in which case the end is not read.
    """
    if suffix.lower() != ".mp3":
        return True
    with _opened(source) as file:
        start = file.read(_PAGE_BYTES)
    return any(tag in start for tag in _MP3_LENGTH_TAGS)


def _refuse_cut_ogg(source: Path | io.BytesIO) -> None:
    """Raise BadClipError if the last page (at most 64 KiB) is not marked as the stream's last."""
    with _opened(source) as file:
        file.seek(max(file.seek(0, io.SEEK_END) - _PAGE_BYTES, 0))
        end = file.read()
    page = end.rfind(b"OggS")
    if page < 0 or not end[page + 5] & _OGG_LAST_PAGE:
        raise BadClipError("truncated: the last page of the Ogg stream is missing")


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", "") or "damaged data"
    return " ".join(text.split()).rstrip(".")
