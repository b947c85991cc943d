"""Look into the headers of sound files, for what libsndfile does not tell."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import soundfile

# Of files that libsndfile reads, and of common ones that it does not
SUFFIXES = frozenset(f".{name.lower()}" for name in soundfile.available_formats()) | {
    *(".aif", ".opus", ".oga", ".wave")
}
UNREADABLE_SUFFIXES = frozenset(
    (".3gp", ".aac", ".ac3", ".amr", ".ape", ".avi", ".m4a", ".m4b", ".m4v", ".mka", ".mkv")
    + (".mov", ".mp4", ".tta", ".webm", ".wma", ".wv")
)

PAGE_BYTES = 65_536  # the longest page of an Ogg stream
_OGG_LAST_PAGE = 0x04
_MP3_LENGTH_TAG = re.compile(rb"(?:Xing|Info)\0\0\0([\0-\x0f])")
_MP3_BYTES_FLAG, _MP3_FRAMES_FLAG = 2, 1
_MP3_TRAILERS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN")
_FOREIGN = (  # pattern at a file's start, what it is
    (rb"....ftyp", "MPEG-4 (.m4a, .mp4)"),
    (rb"\xff[\xf0\xf1\xf8\xf9]|ADIF", "AAC"),
    (rb"\x1aE\xdf\xa3", "Matroska or WebM"),
    (rb"0&\xb2u\x8ef\xcf\x11", "Windows Media (.wma)"),
    (rb"#!AMR", "AMR"),
    (rb"wvpk", "WavPack"),
    (rb"MAC ", "Monkey's Audio"),
    (rb"\x0bw", "AC-3"),
    (rb"RIFF....AVI ", "AVI"),
    (rb"FLV\x01", "Flash video"),
)
_NO_SOUND = (
    (rb"version https://git-lfs", "a Git LFS pointer instead of the sound: run `git lfs pull`"),
    (rb"(?i)\s*<(?:!doctype|html)", "a web page instead of the sound: the download has failed"),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", "an archive; unpack it first"),
)
# Starts of containers, none of which can well be raw samples
_CONTAINER = re.compile(
    rb"(?:RIFF|RIFX|RF64|riff).{4,}|FORM....AIF|fLaC|OggS\0|ID3[\2-\4]|caff\0|\.snd\0|....ftyp"
    rb"|\x1aE\xdf\xa3",
    re.DOTALL,
)
_MP3_FRAME = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]")
# libsndfile's log when a header promises more audio than the file holds
_CUT_HEADER = re.compile(
    r"^\s*(?:data|SSND|Data Size|Riff size|riff)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE
)
_UNKNOWN_LENGTH = 0x7FFF_0000  # a streaming recorder cannot know the length and writes this


@contextmanager
def opened(source: Path | io.BytesIO) -> Iterator[BinaryIO]:
    """Open a file, or rewind what is in memory."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        source.seek(0)
        yield source


def is_container(start: bytes, *, mp3_frames: bool = False) -> bool:
    """Return whether bytes are the start of a sound file, and not of raw samples.

    mp3_frames: also take an MP3 without a tag for one; raw samples can look like that.
    """
    return bool(_CONTAINER.match(start) or (mp3_frames and _MP3_FRAME.match(start)))


def foreign_format(start: bytes) -> str:
    """Name a format that is not read, by the first bytes of a file, and what to do; "" if none."""
    for pattern, what in _NO_SOUND:
        if re.match(pattern, start, re.DOTALL):
            return what
    for pattern, what in _FOREIGN:
        if re.match(pattern, start, re.DOTALL):
            return f"{what} is not read here; convert it: ffmpeg -i IN out.flac"
    return ""


def cut_header(notes: str) -> str:
    """Return how much of its samples a file lacks, by libsndfile's log; "" if nothing."""
    for stated, held in _CUT_HEADER.findall(notes):
        if int(held) < int(stated) < _UNKNOWN_LENGTH:
            return f"truncated: {held} of {stated} bytes of samples"
    return ""


def cut_ogg(source: Path | io.BytesIO) -> str:
    """Return what is wrong if the last page (at most 64 KiB) is not marked as the stream's last."""
    with opened(source) as file:
        file.seek(max(file.seek(0, os.SEEK_END) - PAGE_BYTES, 0))
        end = file.read()
    page = end.rfind(b"OggS")
    if page < 0 or not end[page + 5 : page + 6] or not end[page + 5] & _OGG_LAST_PAGE:
        return "truncated: the last page of the Ogg stream is missing"
    segments = end[page + 26] if len(end) > page + 26 else 0
    sizes = end[page + 27 : page + 27 + segments]
    if len(sizes) < segments or len(end) < page + 27 + segments + sum(sizes):
        return "truncated: the last page of the Ogg stream is cut"
    return ""


def states_length(source: Path | io.BytesIO, name: str) -> bool:
    """Return whether a file states its length; an MP3 without a length tag does not.

    libsndfile then guesses the length from the bit rate. With a variable bit rate the guess may be
    too high, or too low, in which case the end is not read.
    """
    if name != "MP3":
        return True
    with opened(source) as file:
        tag = _MP3_LENGTH_TAG.search(file.read(PAGE_BYTES))
    return bool(tag and tag[1][0] & _MP3_FRAMES_FLAG)


def is_joined(file: BinaryIO, start: bytes) -> bool:
    """Return whether a WAV or AIFF file is followed by another one, as `cat` joins them."""
    order = {b"RIFF": "little", b"FORM": "big"}.get(start[:4])
    if not order:
        return False
    stated = int.from_bytes(start[4:8], "little" if order == "little" else "big")
    file.seek(8 + stated + stated % 2)
    return file.read(4) == start[:4]


def has_second_sound(source: Path | io.BytesIO, name: str) -> bool:
    """Return whether a second sound follows the one that libsndfile reads, as `cat` joins them.

    name: libsndfile's of the format.
    """
    with opened(source) as file:
        if name == "MP3":
            return _mp3_goes_on(file)
        if name == "FLAC":
            return any(_positions(file, rb"fLaC[\0\x80]\0\0\x22", 1))
        if name == "OGG":
            first = next(_positions(file, rb"OggS\x00[\x00\x01\x04\x05]", 0), None)
            return first is not None and any(_positions(file, rb"OggS\x00\x02", first))
    return False


def _mp3_goes_on(file: BinaryIO) -> bool:
    """Return whether frames follow the end that the length tag of an MP3 states."""
    start = file.read(PAGE_BYTES)
    tag = _MP3_LENGTH_TAG.search(start)
    if not tag or not tag[1][0] & _MP3_BYTES_FLAG:
        return False
    sizes = tag.end() + (4 if tag[1][0] & _MP3_FRAMES_FLAG else 0)
    first_frame = max(start.rfind(b"\xff", 0, tag.start()), 0)
    file.seek(first_frame + int.from_bytes(start[sizes : sizes + 4], "big"))
    rest = file.read(PAGE_BYTES)
    return not rest.startswith(_MP3_TRAILERS) and any(
        tag in rest for tag in (b"ID3", b"Xing\0\0\0", b"Info\0\0\0")
    )


def _positions(file: BinaryIO, pattern: bytes, start: int) -> Iterator[int]:
    """Yield where a pattern of at most 16 bytes is found from `start` on."""
    file.seek(start)
    held, offset = b"", start
    while block := file.read(2**20):
        held += block
        for match in re.finditer(pattern, held, re.DOTALL):
            yield offset + match.start()
        keep = held[-15:]
        offset, held = offset + len(held) - len(keep), keep
