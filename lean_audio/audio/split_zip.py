"""Zip archives in one file or split into parts, read where they lie: nothing is unpacked.

`FSD50K.dev_audio.zip` with `.z01`, `.z02`, ... before it is one archive. An entry's offset counts
from the start of the part that the entry starts in; the standard library takes it to count from
the start of the part with the directory, and is put right here.
"""

import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path, PurePosixPath

from lean_audio.errors import LeanError

MOST_ENTRY_BYTES = 2**30  # read into memory whole; 3.4 h of 16-bit mono at 44.1 kHz
# signature, this part, directory's part, entries here, entries, directory's bytes, offset, comment
_END = struct.Struct("<4s4H2LH")
# signature, part of the 64-bit record, its offset there, parts
_LOCATOR = struct.Struct("<4sLQL")
_END_SIGNATURE, _LOCATOR_SIGNATURE = b"PK\x05\x06", b"PK\x06\x07"
_LONGEST_END = _LOCATOR.size + _END.size + 0xFFFF  # with a comment


class DamagedEntryError(Exception):
    """What is wrong with one entry of an archive that is otherwise good."""


@dataclass(frozen=True)
class ArchiveRoot:
    """A directory in FSD50K layout whose folders are archives: `root / folder / file`.

    Raises LeanError when an archive is missing, incomplete or not to be trusted.
    """

    folder: Path

    def __truediv__(self, name: str) -> zipfile.Path:
        archive = open_archive(self.folder / f"{PurePosixPath(name).parts[0]}.zip")
        return zipfile.Path(archive) / name

    def absolute(self) -> "ArchiveRoot":
        return ArchiveRoot(self.folder.absolute())


@dataclass(frozen=True)
class Piece:
    """Bytes of a file, from `start` on."""

    path: Path
    start: int
    bytes: int


class Pieces(io.RawIOBase):
    """Pieces of files one after the other as one file, seekable and read-only."""

    def __init__(self, pieces: list[Piece]):
        super().__init__()
        self.pieces, self.position = pieces, 0
        self.starts = [0, *accumulate(piece.bytes for piece in pieces)]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.starts[-1]}[whence]
        self.position = max(base + offset, 0)
        return self.position

    def readinto(self, buffer) -> int:
        """At most to the end of the piece; whoever wants more asks again."""
        for piece, start in zip(self.pieces, self.starts, strict=False):
            passed = self.position - start
            if 0 <= passed < piece.bytes:
                wanted = memoryview(buffer)[: piece.bytes - passed]
                with piece.path.open("rb", buffering=0) as file:
                    file.seek(piece.start + passed)
                    count = file.readinto(wanted)
                self.position += count
                return count
        return 0


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open `path`, a .zip, with the parts before it."""
    if not path.is_file():
        raise LeanError(f"{path} is missing")
    return _open(path, path.stat().st_mtime_ns)


@cache
def _open(path: Path, written_ns: int) -> zipfile.ZipFile:
    """written_ns: a cluster's workers live long, and the file may change."""
    parts = [*_earlier_parts(path), path]
    starts = [0, *accumulate(part.stat().st_size for part in parts)]
    end = _read_end(path, len(parts))
    pieces = [Piece(part, 0, part.stat().st_size) for part in parts[:-1]]
    pieces += [Piece(path, 0, end.directory_end), Piece(path, end.record, end.bytes)]
    try:
        archive = zipfile.ZipFile(io.BufferedReader(Pieces(pieces)))
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise LeanError(f"{path} cannot be read: {error}") from None
    archive.filename = str(path)  # for messages, and zipfile.Path asks for it
    entries = archive.infolist()
    for entry in entries:
        if entry.volume >= len(parts):
            raise LeanError(f"{path} is damaged: {entry.filename!r} lies in a part that is not one")
        entry.header_offset += starts[entry.volume] - starts[end.directory_part]
    _refuse_bad_names_and_sizes(path, entries)
    _refuse_overlaps(path, entries, archive.start_dir)
    return archive


def read_entry(path: zipfile.Path) -> bytes:
    """The content of one entry, its CRC verified.

    Raises DamagedEntryError, and LeanError when the archive itself cannot be read any more.
    """
    entry = path.root.getinfo(path.at)
    try:
        with path.root.open(entry) as file:
            return file.read(entry.file_size)  # no more, whatever the compressed data hold
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise DamagedEntryError(f"damaged in its archive: {error}") from None
    except OSError as error:
        raise LeanError(f"{path.root.filename} cannot be read: {error}") from None


def read_bytes(path: Path | zipfile.Path) -> bytes:
    """The content of a file or of an entry; raises as read_entry does."""
    return path.read_bytes() if isinstance(path, Path) else read_entry(path)


def crc32(path: zipfile.Path) -> str:
    """The checksum of one entry as the archive states it, 8 hex digits."""
    return f"{path.root.getinfo(path.at).CRC:08x}"


def _earlier_parts(path: Path) -> list[Path]:
    """.z01, .z02, ..., in order; not what a download left beside them."""
    found = [part for part in path.parent.iterdir() if part.stem == path.stem]
    parts = [part for part in found if re.fullmatch(r"\.z\d+", part.suffix)]
    return sorted(parts, key=lambda part: int(part.suffix[2:]))


@dataclass(frozen=True)
class End:
    """Of the last part: where the directory ends and the last record, of so many bytes, starts.

    Between the two zip writes records in 64 bits when the parts are more than 4 GiB in all, which
    the standard library takes for a fault in an archive of several parts. Nothing needs them as
    long as the numbers fit the last record.
    """

    directory_part: int
    directory_end: int
    record: int
    bytes: int


def _read_end(path: Path, parts: int) -> End:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - _LONGEST_END, 0))
        tail = file.read()
    found, first = tail.rfind(_END_SIGNATURE), size - len(tail)
    if found < 0 or len(tail) - found < _END.size:
        raise LeanError(f"{path} is not a whole zip archive: it lacks the record at the end")
    _, last, directory, _, entries, _, offset, _ = _END.unpack_from(tail, found)
    if last != parts - 1:
        raise LeanError(f"{path} is the last of {last + 1} parts, of which {parts} are here")
    record = first + found
    locator = tail[max(found - _LOCATOR.size, 0) : found]
    if parts == 1 or len(locator) < _LOCATOR.size or not locator.startswith(_LOCATOR_SIGNATURE):
        return End(directory, record, record, size - record)
    _, part, start, _ = _LOCATOR.unpack(locator)
    if part != last or entries == 0xFFFF or offset == 0xFFFFFFFF or start > record:
        raise LeanError(f"{path} is too large an archive: its directory does not fit 32 bits")
    return End(directory, start, record, size - record)


def _refuse_bad_names_and_sizes(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    for entry in entries:
        name = PurePosixPath(entry.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts:
            raise LeanError(f"{path} holds an entry that would leave its folder: {str(name)!r}")
        if entry.file_size > MOST_ENTRY_BYTES:
            raise LeanError(
                f"{path}: the entry {entry.filename!r} unpacks to {entry.file_size} bytes, "
                f"more than the {MOST_ENTRY_BYTES} that a clip may have"
            )


def _refuse_overlaps(path: Path, entries: list[zipfile.ZipInfo], end: int) -> None:
    """Entries that share bytes are how a small archive unpacks to an endless one."""
    for entry in sorted(entries, key=lambda entry: entry.header_offset, reverse=True):
        if entry.header_offset + entry.compress_size > end:
            raise LeanError(f"{path}: the entry {entry.filename!r} overlaps the next one")
        if hasattr(entry, "_end_offset"):  # by which newer standard libraries check the same
            entry._end_offset = end
        end = entry.header_offset
