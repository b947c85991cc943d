"""Open sound files with libsndfile, and read them block by block."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from lean_audio.audio import containers
from lean_audio.audio.faults import (
    BadClipError,
    Note,
    check_regular,
    faults_explained,
    ignore,
)
from lean_audio.audio.repair import unfinished_wav
from lean_audio.screen import quiet_stderr

MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000  # a header that states another is wrong
UNKNOWN_FRAMES = 2**62  # libsndfile's count if a header states no length is above
ENCODER_PADDING_FRAMES = 2_400  # an MP3's stated length may count padding that decoders drop
FLOAT_SUBTYPES = ("FLOAT", "DOUBLE")
WAVS = ("WAV", "WAVEX")  # the second is what recorders of 24 bits or many channels write
MONO_FRAMES = 2**16  # of a block; what fits the processor's caches is fast
MIX_VALUES = 2**20  # of a block of several channels, 4 MB; whether they cancel is decided for each
PIECE_FRAMES = 8_192  # decoded at once where data may be damaged: what precedes it there is lost


class Forward(soundfile.SoundFile):
    """Reads forward only. soundfile otherwise seeks after each read, which FLACs do not survive."""

    def seekable(self) -> bool:
        return False


def open_sound(
    source: Path | io.BytesIO,
    note: Note | None = None,
    opener: Callable[..., soundfile.SoundFile] = soundfile.SoundFile,
) -> soundfile.SoundFile:
    """Open a sound.

    Parameters
    ----------
    source
        A file or its content.
    note
        Receives remarks on a sound that is cut, which is then opened all the same.
    opener
        Class of what is returned.

    Raises
    ------
    BadClipError
        If it is no regular file, states an odd rate or, without `note`, is cut.
    """
    if isinstance(source, Path) and source.exists():  # a pipe would be waited for
        check_regular(source)
    with quiet_stderr():  # mpg123 complains without naming the file
        file = opener(_for_libsndfile(source))
        if not file.frames and note and isinstance(source, Path) and file.format in WAVS:
            file = _reopened(file, source, note, opener)
    try:
        fault = containers.cut_header(file.extra_info)
        if not fault and file.format == "OGG":
            fault = containers.cut_ogg(source)
        if fault and not note:
            raise BadClipError(fault)
        if fault and note:
            note(f"{fault}; what is there is used")
        if note and containers.has_second_sound(source, file.format):
            note("several files joined into one; only the first is used")
        if not MIN_RATE_HZ <= file.samplerate <= MAX_RATE_HZ:
            raise BadClipError(f"its header states {_odd_rate(file.samplerate)}")
    except BaseException:
        file.close()
        raise
    return file


@dataclass(frozen=True)
class Header:
    """What a sound file states of itself; length_s: None if it does not state it."""

    channels: int = 1
    rate_hz: float = 16_000.0
    length_s: float | None = None


def read_header(path: Path) -> Header:
    """Read what a sound file states of itself. Raises BadClipError as read_clip does."""
    with faults_explained(path), open_sound(path, ignore) as file:
        known = file.frames < UNKNOWN_FRAMES
        length_s = file.frames / file.samplerate if known else None
        return Header(file.channels, file.samplerate, length_s)


def read_frames(file: soundfile.SoundFile, note: Note | None) -> Iterator[np.ndarray]:
    """Yield (frames, channels) float32 blocks to the end of a sound.

    note: receives a remark if data are damaged after the first piece; the sound then ends there.
    Raises what libsndfile raises if there is no `note`, or nothing before the damage.
    """
    rows = MONO_FRAMES if file.channels == 1 else max(MIX_VALUES // file.channels, 1)
    rows = min(rows, max(file.frames, 1))
    piece = PIECE_FRAMES if note else rows
    block, held, total, ended = _empty(rows, file.channels), 0, 0, False
    noisy = file.format == "MP3"
    while not ended:
        try:
            with quiet_stderr() if noisy else nullcontext():
                wanted = min(piece, file.frames - total)  # decoders may fail behind the end
                read = len(file.read(out=block[held : held + wanted]))
        except soundfile.SoundFileError:
            if not note or not total:
                raise
            note(f"damaged after {total / file.samplerate:.1f} s; what precedes it is used")
            read = 0
        held, total, ended = held + read, total + read, not read
        if held and (ended or held == rows):
            yield block[:held]
            block, held = _empty(rows, file.channels) if not ended else block, 0


def _empty(rows: int, channels: int) -> np.ndarray:
    return np.empty((rows, channels), np.float32)


def _for_libsndfile(source: Path | io.BytesIO) -> str | bytes | io.BytesIO:
    if not isinstance(source, Path):
        return source
    return str(source) if os.name == "nt" else os.fsencode(source)  # the name may be any bytes


def _reopened(
    file: soundfile.SoundFile,
    path: Path,
    note: Note,
    opener: Callable[..., soundfile.SoundFile],
) -> soundfile.SoundFile:
    """Return the samples of a WAV of a killed recorder, or the file itself if it is none."""
    patched = unfinished_wav(path)
    if not patched:
        return file
    file.close()
    note("its header states no samples, as when a recorder is killed; what is there is used")
    return opener(patched)


def _odd_rate(rate_hz: int) -> str:
    if rate_hz < MIN_RATE_HZ:
        return f"{rate_hz} Hz, less than {MIN_RATE_HZ:,} Hz"
    return f"{rate_hz:,} Hz, more than {MAX_RATE_HZ:,} Hz"
