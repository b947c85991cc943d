"""Sound files with broken headers, the same ones for the same seed."""

import io
import struct
from collections.abc import Callable, Iterator

import numpy as np
import soundfile

KINDS = {  # suffix -> settings of soundfile
    "wav": [{"subtype": "PCM_16"}, {"subtype": "FLOAT"}, {"subtype": "MS_ADPCM"}],
    "flac": [{"subtype": "PCM_16"}, {"subtype": "PCM_24"}],
    "mp3": [{"bitrate_mode": "VARIABLE"}, {"bitrate_mode": "CONSTANT"}],
    "ogg": [{"subtype": "VORBIS"}, {"subtype": "OPUS"}],
    "aiff": [{"subtype": "PCM_16"}, {"subtype": "FLOAT"}],
}
HEADER_BYTES = 160
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)


def sound_files() -> list[tuple[str, bytes]]:
    """Return whole files of every kind: suffix and content."""
    files = []
    for suffix, kinds in KINDS.items():
        for number, settings in enumerate(kinds):
            rng = np.random.default_rng(number)
            sound = rng.uniform(-0.5, 0.5, (8_000, 1 + number % 2))
            content = io.BytesIO()
            soundfile.write(content, sound, 16_000, format=suffix.upper(), **settings)
            files.append((suffix, _with_one_serial(content.getvalue())))
    return files


def _with_one_serial(content: bytes) -> bytes:
    """Replace what libsndfile makes up: the time in a PEAK chunk, the number of an Ogg stream."""
    if (peak := content.find(b"PEAK")) >= 0:
        return content[: peak + 12] + bytes(4) + content[peak + 16 :]
    if content[:4] != b"OggS":
        return content
    same = bytearray(content.replace(content[14:18], b"LEAN"))
    fix_checksums(same)
    return bytes(same)


def broken_files(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield suffix and content of files, each with one to three faults in its header."""
    rng = np.random.default_rng(seed)
    whole = sound_files()
    for number in range(count):
        suffix, original = whole[number % len(whole)]
        content = bytearray(original)
        for _ in range(rng.integers(1, 4)):
            FAULTS[rng.integers(len(FAULTS))](content, rng)
        if suffix == "ogg" and rng.random() < 0.7:  # or the reader passes over each broken page
            fix_checksums(content)
        yield suffix, bytes(content)


def flip_bits(content: bytearray, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(1, 9)):
        if content:
            content[_place(content, rng)] ^= 1 << int(rng.integers(8))


def set_bytes(content: bytearray, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(1, 5)):
        if content:
            content[_place(content, rng)] = int(rng.integers(256))


def set_number(content: bytearray, rng: np.random.Generator) -> None:
    """Write an extreme number of 2, 4 or 8 bytes in either order."""
    value = EXTREMES[rng.integers(len(EXTREMES))]
    size, order = int(rng.choice([2, 4, 8])), "><"[rng.integers(2)]
    code = {2: "H", 4: "I", 8: "Q"}[size]
    at = _place(content, rng)
    content[at : at + size] = struct.pack(order + code, value % 256**size)


def cut(content: bytearray, rng: np.random.Generator) -> None:
    del content[int(rng.integers(len(content) + 1)) :]


def cut_header(content: bytearray, rng: np.random.Generator) -> None:
    del content[_place(content, rng) :]


def leave_out(content: bytearray, rng: np.random.Generator) -> None:
    at = _place(content, rng)
    del content[at : at + int(rng.integers(1, 32))]


def repeat(content: bytearray, rng: np.random.Generator) -> None:
    at, size = _place(content, rng), int(rng.integers(1, 64))
    content[at:at] = content[at : at + size] * int(rng.integers(1, 9))


def insert(content: bytearray, rng: np.random.Generator) -> None:
    at = _place(content, rng)
    content[at:at] = rng.bytes(int(rng.integers(1, 64)))


FAULTS: tuple[Callable[[bytearray, np.random.Generator], None], ...] = (
    *(flip_bits, set_bytes, set_number, set_number, set_number),
    *(cut, cut_header, leave_out, repeat, insert),
)


def _place(content: bytearray, rng: np.random.Generator) -> int:
    return int(rng.integers(max(min(len(content), HEADER_BYTES), 1)))


def fix_checksums(content: bytearray) -> None:
    """Give the pages of an Ogg stream the checksums of what they hold."""
    at = content.find(b"OggS")
    while at >= 0 and at + 27 <= len(content):
        segments = content[at + 26]
        size = 27 + segments + sum(content[at + 27 : at + 27 + segments])
        page = content[at : at + size]
        page[22:26] = bytes(4)
        if len(page) == size:
            content[at + 22 : at + 26] = struct.pack("<I", ogg_crc(page))
        at = content.find(b"OggS", at + 4)


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        register = value << 24
        for _ in range(8):
            register = (register << 1) ^ (0x04C11DB7 if register & 0x80000000 else 0)
        table.append(register & 0xFFFFFFFF)
    return table


CRC_TABLE = _crc_table()


def ogg_crc(page: bytes | bytearray) -> int:
    register = 0
    for byte in page:
        register = (register << 8) & 0xFFFFFFFF ^ CRC_TABLE[(register >> 24) ^ byte]
    return register
