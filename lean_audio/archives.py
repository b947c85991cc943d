"""Zip archives in one file or split into parts, read where they lie: nothing is unpacked.

`FSD50K.dev_audio.zip` with `.z01`, `.z02`, ... before it is one archive. An entry's offset counts
from the start of the part that the entry starts in; the standard library takes it to count from
the start of the part with the directory, and is put right here.
"""

import io
import struct
import zipfile
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path, PurePosixPath

from lean_audio.errors import LeanError

MOST_ENTRY_BYTES = 2**30  # read into memory whole; 3.4 h of 16-bit mono at 44.1 kHz
_END = struct.Struct("<4s4H2LH")  # signature, this part, the directory's part, ...
_END_SIGNATURE, _LONGEST_COMMENT = b"PK\x05\x06", 0xFFFF


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


class Parts(io.RawIOBase):
    """Files one after the other as one, seekable and read-only."""

    def __init__(self, paths: list[Path]):
        super().__init__()
        self.paths, self.position = paths, 0
        self.starts = [0, *accumulate(path.stat().st_size for path in paths)]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.starts[-1]}[whence]
        self.position = max(base + offset, 0)
        return self.position

    def readinto(self, buffer) -> int:
        """At most to the end of the part; whoever wants more asks again."""
        for path, start, end in zip(self.paths, self.starts, self.starts[1:], strict=False):
            if start <= self.position < end:
                with path.open("rb", buffering=0) as part:
                    part.seek(self.position - start)
                    count = part.readinto(buffer)
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
    parts = Parts([*_earlier_parts(path), path])
    directory_part = _directory_part(path, len(parts.paths))
    try:
        archive = zipfile.ZipFile(io.BufferedReader(parts))
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise LeanError(f"{path} cannot be read: {error}") from None
    archive.filename = str(path)  # for messages, and zipfile.Path asks for it
    entries = archive.infolist()
    for entry in entries:
        if entry.volume >= len(parts.paths):
            raise LeanError(f"{path} is damaged: {entry.filename!r} lies in a part that is not one")
        entry.header_offset += parts.starts[entry.volume] - parts.starts[directory_part]
    _refuse_bad_names_and_sizes(path, entries)
    _refuse_overlaps(path, entries, archive.start_dir)
    return archive


def read_entry(path: zipfile.Path) -> bytes:
    """The content of one entry, its CRC verified.

    Raises zipfile.BadZipFile or zlib.error when it is damaged.
    """
    entry = path.root.getinfo(path.at)
    with path.root.open(entry) as file:
        return file.read(entry.file_size)  # no more, whatever the compressed data hold


def crc32(path: zipfile.Path) -> str:
    """The checksum of one entry as the archive states it, 8 hex digits."""
    return f"{path.root.getinfo(path.at).CRC:08x}"


def _earlier_parts(path: Path) -> list[Path]:
    """.z01, .z02, ..., in order."""
    return sorted(path.parent.glob(f"{path.stem}.z[0-9]*"), key=lambda part: int(part.suffix[2:]))


def _directory_part(path: Path, parts: int) -> int:
    """Which part, from 0, the central directory starts in, by the record at the very end."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _END.size - _LONGEST_COMMENT, 0))
        end = file.read()
    found = end.rfind(_END_SIGNATURE)
    if found < 0 or len(end) - found < _END.size:
        raise LeanError(f"{path} is not a whole zip archive: it lacks the record at the end")
    _, last, directory, *_ = _END.unpack_from(end, found)
    if last != parts - 1:
        raise LeanError(f"{path} is the last of {last + 1} parts, of which {parts} are here")
    return directory


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
