"""What can be wrong with a sound file, each in one sentence."""

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import soundfile

from lean_audio.audio.containers import foreign_format, is_joined, opened
from lean_audio.errors import LeanError

Note = Callable[[str], None]  # takes a remark on a sound that is used all the same
_BLOCK_BYTES = 2**20
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def ignore(_: str) -> None:
    """Take a remark and do nothing with it."""


class BadClipError(Exception):
    """One clip cannot be used; the run sets it aside and continues."""


class DiskError(LeanError):
    """The disk cannot read a file: the clip itself is not at fault."""


def check_regular(path: Path) -> None:
    """Raise BadClipError unless the path leads to a regular file: only those can be sounds."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except OSError as error:
        raise BadClipError(_not_there(path, error)) from None
    except ValueError:  # of a zero byte in the name
        raise BadClipError("no such file") from None
    if kind != stat.S_IFREG:
        raise BadClipError(f"{_KINDS.get(kind, 'something else')}, not a file")


def _not_there(path: Path, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "a link that leads to itself"
    if not isinstance(error, FileNotFoundError):
        return error.strerror or "cannot be read"
    if path.is_symlink():
        return f"a link to {path.readlink()}, which does not exist"
    return "no such file"


@contextmanager
def faults_explained(source: Path | io.BytesIO) -> Iterator[None]:
    """Turn what is wrong with a sound into BadClipError, and with its disk into DiskError."""
    try:
        yield
    except MemoryError:
        raise BadClipError("unreadable: its header asks for more memory than there is") from None
    except (soundfile.SoundFileError, OSError, TypeError, ValueError, OverflowError) as error:
        _blame_the_disk(source)
        raise BadClipError(f"unreadable: {_reason(source, error)}") from None


def _blame_the_disk(source: Path | io.BytesIO) -> None:
    """Raise DiskError if the disk cannot read the file."""
    try:
        if isinstance(source, Path):
            with source.open("rb") as file:
                while file.read(_BLOCK_BYTES):
                    pass
    except OSError as error:
        raise DiskError(f"{source} cannot be read: {error.strerror}") from None


def _reason(source: Path | io.BytesIO, error: Exception) -> str:
    with opened(source) as file:
        start, size = file.read(64), file.seek(0, os.SEEK_END)
        if not size:
            return "the file is empty (0 bytes)"
        if foreign := foreign_format(start):
            return foreign
        if is_joined(file, start):
            return "several files joined into one; join sounds with a program that knows them"
    text = " ".join(getattr(error, "error_string", "").split()).rstrip(".")
    if "not a regular file" in text:  # how libsndfile calls an MP3 without a frame
        return "Format not recognised"
    return text or "damaged data"
