"""What `predict` was given: files, directories, pipes, a sound or raw samples on standard input."""

import io
import os
import shutil
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from lean_audio.audio.containers import SUFFIXES, UNREADABLE_SUFFIXES, is_container
from lean_audio.errors import LeanError, counted, join_first

STDIN = "-"
START_BYTES = 16  # enough to tell a sound file from raw samples
# Names of streams that the caller has opened, as in `predict <(cat x.wav)`
_DESCRIPTORS = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")


@dataclass
class Found:
    """Files to tag; remarks on what was passed over; sentences on what could not be used."""

    files: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def find_files(inputs: Sequence[str]) -> Found:
    """Find the files named, and the sound files of each directory named, sorted.

    Raises LeanError if standard input is mixed with files.
    """
    found = Found()
    for name in inputs:
        if name == STDIN:
            raise LeanError("-: standard input cannot be mixed with files")
        path = Path(name)
        if path.is_dir():
            _search(path, found)
        else:
            found.files.append(path)
    return found


def _search(root: Path, found: Found) -> None:
    files = sorted(_below(root, found.faults))
    sounds = [file for file in files if file.suffix.lower() in SUFFIXES]
    others = Counter(
        file.suffix.lower() for file in files if file.suffix.lower() in UNREADABLE_SUFFIXES
    )
    found.files += sounds
    passed_over = ""
    if others:
        kinds = ", ".join(f"{number} {suffix}" for suffix, number in sorted(others.items()))
        passed_over = (
            f"{counted(others.total(), 'file')} passed over, in formats that are not read "
            f"({kinds}); convert them: ffmpeg -i IN out.flac"
        )
    if not sounds:
        reason = passed_over or join_first(sorted(SUFFIXES), 40)
        found.faults.append(f"{root}: no sound in this directory ({reason})")
    elif passed_over:
        found.remarks.append(f"{root}: {passed_over}")


def _below(root: Path, faults: list[str]) -> Iterator[Path]:
    """Yield the files below a directory, through links too; hidden ones are passed over."""

    def report(error: OSError) -> None:
        faults.append(f"{error.filename}: {error.strerror}")

    for folder, folders, files in os.walk(root, followlinks=True, onerror=report):
        place = Path(folder)
        real = place.resolve()
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and not real.is_relative_to((place / name).resolve())
        ]
        yield from (place / name for name in files if not name.startswith("."))


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """Yield a path that can be decoded: itself, or a temporary copy of a pipe that is open."""
    if is_descriptor(path) and _is_pipe(path):
        with path.open("rb") as source, copied(source) as copy:
            yield copy
    else:
        yield path


def check_target(output: Path, files: Sequence[Path], model: Path) -> None:
    """Raise LeanError if results would replace what they are made from, or what is no file."""
    if not output.exists():
        return
    if not output.is_file():  # nor could it be resumed
        raise LeanError(f"--output {output}: cannot be written (not a regular file); name one")
    if output.samefile(model):
        raise LeanError(f"--output {output}: this is the model")
    if any(path.exists() and output.samefile(path) for path in files):
        raise LeanError(f"--output {output}: this is one of the sounds")


def is_descriptor(path: Path) -> bool:
    """Return whether a path is a stream that this process has open, and no other has."""
    return str(path).startswith(_DESCRIPTORS)


def _is_pipe(path: Path) -> bool:
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False


@contextmanager
def copied(source: "BinaryIO | Joined") -> Iterator[Path]:
    """Yield a temporary copy of a stream, which decoders cannot go back in."""
    with tempfile.TemporaryDirectory(prefix="lean-audio-") as folder:
        path = Path(folder) / "sound.mp3"  # libsndfile knows all others by their content
        with path.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        yield path


class Joined:
    """The bytes that were read from a stream, and then the rest of it."""

    def __init__(self, start: bytes, rest: BinaryIO):
        self._start, self._rest = io.BytesIO(start), rest

    def read(self, size: int = -1) -> bytes:
        start = self._start.read(size)
        return start + self._rest.read(size - len(start) if size >= 0 else -1)


def open_stdin(*, raw: bool) -> tuple[Joined, bool]:
    """Return standard input, and whether a sound file comes out of it instead of raw samples.

    raw: the caller says that it is raw samples, which is believed unless they start like a file.
    Raises LeanError if standard input is closed.
    """
    if sys.stdin is None:
        raise LeanError("-: standard input is closed")
    start = sys.stdin.buffer.read(START_BYTES)
    return Joined(start, sys.stdin.buffer), is_container(start, mp3_frames=not raw)
