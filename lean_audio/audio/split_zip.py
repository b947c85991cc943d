"""Read zip archives, whole or split into parts, without unpacking them.

`FSD50K.dev_audio.zip` and the parts before it, `.z01`, `.z02`, ..., are one archive. An entry's
offset counts from the start of the part in which the entry begins. The standard library counts it
from the start of the part that holds the directory; `_open` corrects that.
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

MAX_ENTRY_BYTES = 2**30  # an entry is read into memory; 3.4 h of 16-bit mono at 44.1 kHz
# signature, this part, directory's part, entries here, all entries, directory's size, its offset,
# length of the comment
_END = struct.Struct("<4s4H2LH")
# signature, part of the 64-bit record, its offset there, parts
_LOCATOR = struct.Struct("<4sLQL")
_END_SIGNATURE, _LOCATOR_SIGNATURE = b"PK\x05\x06", b"PK\x06\x07"
_LONGEST_END = _LOCATOR.size + _END.size + 0xFFFF  # with a comment


class DamagedEntryError(Exception):
    """One entry is damaged in an archive that is otherwise good."""


@dataclass(frozen=True)
class ArchiveRoot:
    """A directory in FSD50K layout whose folders are zip archives: `root / "folder/file"`.

    The division raises LeanError if an archive is missing, incomplete or unsafe.
    """

    folder: Path

    def __truediv__(self, name: str) -> zipfile.Path:
        archive = open_archive(self.folder / f"{PurePosixPath(name).parts[0]}.zip")
        return zipfile.Path(archive) / name

    def absolute(self) -> "ArchiveRoot":
        return ArchiveRoot(self.folder.absolute())


@dataclass(frozen=True)
class Piece:
    """A range of a file: `bytes` bytes from `start` on."""

    path: Path
    start: int
    bytes: int


class Pieces(io.RawIOBase):
    """Read-only, seekable concatenation of pieces of files."""

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
        """Read at most to the end of the current piece, as RawIOBase allows."""
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
    """Open a .zip together with the parts before it.

    Raises LeanError if a part is missing, the archive is damaged, or an entry is unsafe: it would
    escape its directory, overlaps another one, or is larger than MAX_ENTRY_BYTES.
    """
    if not path.is_file():
        raise LeanError(f"{path} is missing")
    return _open(path, path.stat().st_mtime_ns)


@cache
def _open(path: Path, written_ns: int) -> zipfile.ZipFile:
    """Open an archive; written_ns keeps a long-lived worker from using a file that has changed."""
    parts = [*_earlier_parts(path), path]
    starts = [0, *accumulate(part.stat().st_size for part in parts)]
    end = _read_end(path, len(parts))
    pieces = [Piece(part, 0, part.stat().st_size) for part in parts[:-1]]
    pieces += [Piece(path, 0, end.directory_end), Piece(path, end.record, end.bytes)]
    try:
        archive = zipfile.ZipFile(io.BufferedReader(Pieces(pieces)))
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise LeanError(f"{path} cannot be read: {error}") from None
    archive.filename = str(path)  # for error messages; zipfile.Path needs it too
    entries = archive.infolist()
    for entry in entries:
        if entry.volume >= len(parts):
            raise LeanError(f"{path} is damaged: {entry.filename!r} points to an unknown part")
        entry.header_offset += starts[entry.volume] - starts[end.directory_part]
    _refuse_bad_names_and_sizes(path, entries)
    _refuse_overlaps(path, entries, archive.start_dir)
    return archive


def read_entry(path: zipfile.Path) -> bytes:
    """Read one entry and verify its CRC.

    Raises DamagedEntryError if it is damaged, LeanError if the archive can no longer be read.
    """
    entry = path.root.getinfo(path.at)
    try:
        with path.root.open(entry) as file:
            return file.read(entry.file_size)  # no more, whatever the compressed data expand to
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise DamagedEntryError(f"damaged in its archive: {error}") from None
    except OSError as error:
        raise LeanError(f"{path.root.filename} cannot be read: {error}") from None


def read_bytes(path: Path | zipfile.Path) -> bytes:
    """Read a file, or an entry as read_entry does."""
    return path.read_bytes() if isinstance(path, Path) else read_entry(path)


def crc32(path: zipfile.Path) -> str:
    """Return the checksum that the archive states for an entry, as 8 hex digits."""
    return f"{path.root.getinfo(path.at).CRC:08x}"


def _earlier_parts(path: Path) -> list[Path]:
    """Return .z01, .z02, ... in order, without leftovers of a download beside them."""
    found = [part for part in path.parent.iterdir() if part.stem == path.stem]
    parts = [part for part in found if re.fullmatch(r"\.z\d+", part.suffix)]
    return sorted(parts, key=lambda part: int(part.suffix[2:]))


@dataclass(frozen=True)
class End:
    """Where the directory of the last part ends, and where its end record starts.

    If the parts exceed 4 GiB in total, zip writes 64-bit records between the two. The standard
    library rejects those in an archive of several parts. They are skipped: nothing needs them as
    long as the numbers fit the end record.

    directory_part: the part in which the directory starts; bytes: size of the end record.
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
        raise LeanError(f"{path} is not a complete zip archive: its end record is missing")
    _, last, directory, _, entries, _, offset, _ = _END.unpack_from(tail, found)
    if last != parts - 1:
        raise LeanError(f"{path} is the last of {last + 1} parts, of which {parts} are here")
    record = first + found
    locator = tail[max(found - _LOCATOR.size, 0) : found]
    if parts == 1 or len(locator) < _LOCATOR.size or not locator.startswith(_LOCATOR_SIGNATURE):
        return End(directory, record, record, size - record)
    _, part, start, _ = _LOCATOR.unpack(locator)
    if part != last or entries == 0xFFFF or offset == 0xFFFFFFFF or start > record:
        raise LeanError(f"{path} is too large: its directory needs 64-bit offsets")
    return End(directory, start, record, size - record)


def _refuse_bad_names_and_sizes(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    for entry in entries:
        name = PurePosixPath(entry.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts:
            raise LeanError(f"{path} holds an entry that would leave its folder: {str(name)!r}")
        if entry.file_size > MAX_ENTRY_BYTES:
            raise LeanError(
                f"{path}: the entry {entry.filename!r} unpacks to {entry.file_size} bytes, "
                f"more than the {MAX_ENTRY_BYTES} that a clip may have"
            )


def _refuse_overlaps(path: Path, entries: list[zipfile.ZipInfo], end: int) -> None:
    """Raise LeanError if entries share bytes, which is how a zip bomb is made."""
    for entry in sorted(entries, key=lambda entry: entry.header_offset, reverse=True):
        if entry.header_offset + entry.compress_size > end:
            raise LeanError(f"{path}: the entry {entry.filename!r} overlaps the next one")
        # the private field by which newer standard libraries check the same, with other offsets
        if hasattr(entry, "_end_offset"):
            entry._end_offset = end
        end = entry.header_offset
