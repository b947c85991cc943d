"""Labels and card inside a shipped .tflite, read without an interpreter."""

import hashlib
import json
import math
import zipfile
import zlib
from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, BinaryIO

from lean_audio.audio.chunking import CHUNK_SAMPLES
from lean_audio.audio.decode import SAMPLE_RATE_HZ
from lean_audio.errors import LeanError, join_first

CHECKSUM_FILE = "model.sha256"  # in the archive: of all that precedes the archive
MAX_TEXT_BYTES = 2**24  # of labels and card each
_BLOCK_BYTES = 2**20
_FLATBUFFER, _NAMES_METADATA = b"TFL3", b"TFLITE_METADATA"


def read_card(path: Path) -> tuple[list[str], dict[str, Any]]:
    """Read the labels and the content of lean.json inside a model file, and check both.

    Raises
    ------
    LeanError
        If there is no such file, it is cut or damaged, or labels or card are missing or wrong.
    """
    try:
        if not path.is_file() and path.exists():
            raise LeanError(f"{path}: not readable as a model (not a regular file)")
        with zipfile.ZipFile(path) as archive:
            lines = _text(archive, "labels.txt").replace("\r\n", "\n")  # as Windows edits them
            labels = lines.removesuffix("\n").split("\n")
            card = json.loads(_text(archive, "lean.json"))
    except FileNotFoundError:
        raise LeanError(f"{path}: no such model file") from None
    except OSError as error:
        raise LeanError(f"{path}: not readable as a model ({error.strerror})") from None
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, RuntimeError, EOFError):
        raise LeanError(f"{path} {_what_it_is(path)}") from None
    if verify_checksum(path) is False:
        raise LeanError(
            f"{path} is damaged: its weights or their checksum have changed since they were "
            "written; copy or download it again"
        )
    check_card(path, labels, card)
    return labels, card


def verify_checksum(path: Path) -> bool | None:
    """Return whether the model has the checksum in the archive behind it; None if none is there."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        if CHECKSUM_FILE not in archive.namelist():
            return None
        size = min(entry.header_offset for entry in archive.infolist())
        try:
            stored = _text(archive, CHECKSUM_FILE).strip()
        except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError):
            return False
        return stored == _sha256(file, size)


def check_card(path: Path, labels: list[str], card: Any) -> None:
    """Raise LeanError if labels are empty or double, or a value in lean.json is not allowed."""
    if not isinstance(card, dict):
        raise LeanError(f"{path}: lean.json is not a JSON object")
    odd = sorted({label for label in labels if not label.strip() or labels.count(label) > 1})
    if odd:
        shown = join_first(map(repr, odd))
        raise LeanError(f"{path}: labels.txt has empty or double labels ({shown})")
    _check_parents(path, labels, card.get("parents"))
    for key, (allowed, is_allowed) in _rules(len(labels)).items():
        value = card.get(key)
        if not is_allowed(value):
            shown = "missing" if key not in card else _shown(value)
            raise LeanError(f"{path}: {key} in lean.json is {shown}; it must be {allowed}")


def _check_parents(path: Path, labels: list[str], parents: Any) -> None:
    """Raise LeanError unless `parents` is absent or label -> labels above it, without circles.

    Only direct parents need to be listed; labels at the top of the hierarchy have no entry.
    """
    if parents is None:
        return
    if not isinstance(parents, dict) or not all(
        isinstance(above, list) and {child, *map(str, above)} <= set(labels)
        for child, above in parents.items()
    ):
        raise LeanError(
            f"{path}: parents in lean.json is {_shown(parents)}; it must be label -> list of "
            "labels, all of them in labels.txt"
        )
    try:
        list(TopologicalSorter(parents).static_order())
    except CycleError as error:
        circle = " > ".join(error.args[1])
        raise LeanError(
            f"{path}: parents in lean.json put a label above itself: {circle}"
        ) from None


def _rules(labels: int) -> dict[str, tuple[str, Callable[[Any], bool]]]:
    """Return what is allowed for each key that running a model depends on: in words, and a test."""
    chunk_s = CHUNK_SAMPLES / SAMPLE_RATE_HZ
    fixed = {"sample_rate_hz": SAMPLE_RATE_HZ, "chunk_samples": CHUNK_SAMPLES}
    choices = {"tail": ("repeat", "drop"), "resampler": ("VHQ", "HQ", "MQ")}
    return {
        "hop_s": (
            f"a number of seconds above 0, at most {chunk_s:g}",
            lambda value: _is_number(value) and 1 <= value * SAMPLE_RATE_HZ <= CHUNK_SAMPLES,
        ),
        "thresholds": (
            f"{labels} numbers from 0 to 1, one per label",
            lambda value: _are_numbers(value, labels) and all(0 <= each <= 1 for each in value),
        ),
        **{
            key: (" or ".join(names), lambda value, names=names: value in names)
            for key, names in choices.items()
        },
        **{
            key: (str(number), lambda value, number=number: value in (None, number))
            for key, number in fixed.items()
        },
        "calibration": (
            f"slope and intercept, each of {labels} numbers",
            lambda value: (
                value is None
                or (
                    isinstance(value, dict)
                    and all(
                        _are_numbers(value.get(name), labels) for name in ("slope", "intercept")
                    )
                )
            ),
        ),
    }


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # JSON's integers may have any number of digits
        return False


def _are_numbers(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(map(_is_number, value))


def _shown(value: Any) -> str:
    text = f"{len(value)} values" if isinstance(value, list) else json.dumps(value)
    if isinstance(value, list) and (odd := [each for each in value if not _is_number(each)]):
        text += f", among them {json.dumps(odd[0])[:40]}"
    return text[:80]


def _text(archive: zipfile.ZipFile, name: str) -> str:
    if archive.getinfo(name).file_size > MAX_TEXT_BYTES:
        raise ValueError
    return archive.read(name).decode()


def _sha256(file: BinaryIO, size: int) -> str:
    digest = hashlib.sha256()
    while size > 0 and (block := file.read(min(size, _BLOCK_BYTES))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()


def _what_it_is(path: Path) -> str:
    """Say what a file without a readable archive at its end is."""
    with path.open("rb") as file:
        start = file.read(_BLOCK_BYTES)
    if start[4:8] == _FLATBUFFER and _NAMES_METADATA in start:
        size = path.stat().st_size
        return f"is cut: its end is missing ({size:,} bytes are here); copy or download it again"
    if not start:
        return "is empty (0 bytes); copy or download it again"
    return (
        "has no LEAN metadata (labels.txt and lean.json inside); "
        "allowed are the .tflite files that `dvc repro` writes to models/"
    )
