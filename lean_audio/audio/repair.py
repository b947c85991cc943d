"""Read a WAV whose recorder was killed before it could write the length into the header."""

import io
import os
from pathlib import Path
from typing import BinaryIO

_TO_THE_END = b"\xff\xff\xff\xff"  # the size that streaming recorders write


def unfinished_wav(path: Path) -> "BinaryIO | None":
    """Open a WAV that states 0 bytes of samples and has some; None if it is not such a file."""
    file = path.open("rb")
    if (at := _size_of_no_data(file)) is None:
        file.close()
        return None
    file.seek(0)
    return io.BufferedReader(_Patched(file, at, _TO_THE_END))


def _size_of_no_data(file: BinaryIO) -> int | None:
    """Return where the size of the data chunk stands, if it is 0 and samples follow it."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    end = file.seek(0, os.SEEK_END)
    at = 12
    while at + 8 < end:
        name, size = _chunk(file, at)
        if name == b"data":
            return at + 4 if size == 0 and not _chunks_reach_end(file, at + 8, end) else None
        at += 8 + size + size % 2
    return None


def _chunk(file: BinaryIO, at: int) -> tuple[bytes, int]:
    file.seek(at)
    head = file.read(8)
    return head[:4], int.from_bytes(head[4:8], "little")


def _chunks_reach_end(file: BinaryIO, at: int, end: int) -> bool:
    """Return whether only whole chunks follow, so that the recording is truly empty."""
    while at + 8 <= end:
        _, size = _chunk(file, at)
        at += 8 + size + size % 2
    return at in (end, end + 1)


class _Patched(io.RawIOBase):
    """A file in which some bytes read differently."""

    def __init__(self, file: BinaryIO, at: int, content: bytes):
        self._file, self._at, self._content = file, at, content

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer) -> int:
        position = self._file.tell()
        read = self._file.readinto(buffer)  # pyright: ignore[reportAttributeAccessIssue]
        for index, byte in enumerate(self._content, self._at - position):
            if 0 <= index < read:
                memoryview(buffer).cast("B")[index] = byte
        return read

    def close(self) -> None:
        self._file.close()
        super().close()
