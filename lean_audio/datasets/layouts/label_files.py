"""Annotations of one recording: Audacity's label tracks and Raven's selection tables.

Both are text with tabs. Audacity's lines are start, end and label; a line that begins with a
backslash holds the frequencies of the one above. Raven has a header, and a row per view of each
selection.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lean_audio.config.datasets import SETTINGS
from lean_audio.datasets.names import (
    LABEL_SEPARATORS,
    clean,
    column_name,
    label_fault,
    split_labels,
)
from lean_audio.datasets.tables import decode, read_text
from lean_audio.errors import LeanError, join_first

SUFFIX = ".txt"
BEGIN, END = "begin_time_(s)", "end_time_(s)"
LABEL_COLUMNS = (
    *("annotation", "annotations", "species", "common_name", "label", "labels", "category"),
    *("class", "tags"),
)
_RAVEN_NAME = re.compile(r"(?:\.Table\.\d+)?(?:\.selections)?$", re.IGNORECASE)
_START_BYTES = 65_536  # of a file, read to see whether it holds annotations


Kind = Literal["labels", "times", "empty", "other"]
Row = tuple[str, str, str]  # start, end, label


@dataclass(frozen=True)
class Annotation:
    """What is heard from start_s to end_s of a recording; where: file and line, for messages."""

    start_s: float
    end_s: float
    labels: tuple[str, ...]
    where: str


def recording_stem(name: str) -> str:
    """Return the stem of the recording that a file of annotations belongs to."""
    return _RAVEN_NAME.sub("", clean(name).removesuffix(SUFFIX))


def kind_of(path: Path) -> Kind:
    """Tell from the start of a text file what it holds.

    "times" are annotations without any label. An empty file is a recording without annotations.
    """
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    lines = decode(start, errors="replace").splitlines()
    rows = [line.split("\t") for line in lines if line.strip()]
    timed = [row for row in rows if len(row) > 1 and None not in map(_number, row[:2])]
    if (rows and _is_raven(rows[0])) or any(len(row) == 3 and clean(row[2]) for row in timed):
        return "labels"
    return "times" if timed else "other" if rows else "empty"


def read_label_file(path: Path, label_column: str = "") -> list[Annotation]:
    """Read a label track or a selection table; label_column: of the latter, or found.

    Raises LeanError, with the line and the value, for a time that is no number, a start after its
    end, and an empty label.
    """
    lines = enumerate(re.split(r"\r\n|\r|\n", read_text(path, "a file of annotations")), 1)
    rows = [(number, line.split("\t")) for number, line in lines if line.strip()]
    raven = rows and _is_raven(rows[0][1])
    found = _raven(path, rows, label_column) if raven else _audacity(rows)
    lines_of: dict[Row, int] = {}  # Raven writes a selection once per view
    for number, row in found:
        lines_of.setdefault(row, number)
    return [_annotation(f"{path}, line {line}", *row) for row, line in lines_of.items()]


def seconds(where: str, text: str) -> float:
    """Return a time, with a decimal point or comma; raise LeanError for another text."""
    value = _number(text)
    if value is None or value < 0:
        raise LeanError(f"{where}: {text!r} is not a time in seconds")
    return value


def check_order(where: str, start_s: float, end_s: float) -> None:
    """Raise LeanError for a start after its end."""
    if start_s > end_s:
        raise LeanError(f"{where}: the start, {start_s:g} s, is after the end, {end_s:g} s")


def _annotation(where: str, start: str, end: str, label: str) -> Annotation:
    start_s, end_s = seconds(where, start), seconds(where, end)
    check_order(where, start_s, end_s)
    labels = split_labels(label, LABEL_SEPARATORS)
    if not labels:
        raise LeanError(f"{where}: the label of {start_s:g} to {end_s:g} s is empty")
    for name in labels:
        if fault := label_fault(name):
            raise LeanError(f"{where}: the label {name!r} {fault}")
    return Annotation(start_s, end_s, labels, where)


def _audacity(rows: list[tuple[int, list[str]]]) -> Iterator[tuple[int, Row]]:
    for number, fields in rows:
        if not fields[0].startswith("\\"):
            start, end, label, *_ = [*map(clean, fields), "", ""]
            yield number, (start, end, label)


def _raven(
    path: Path, rows: list[tuple[int, list[str]]], label_column: str
) -> Iterator[tuple[int, Row]]:
    header = [column_name(name) for name in rows[0][1]]
    wanted = (column_name(label_column),) if label_column else LABEL_COLUMNS
    label = next((name for name in wanted if name in header), "")
    if END not in header:
        raise LeanError(f"{path}: lacks the column 'End Time (s)'")
    if not label:
        raise LeanError(
            f"{path}: none of its columns ({join_first(header, 12)}) is known to hold labels; set "
            f"label_column in {SETTINGS}"
        )
    places = [header.index(name) for name in (BEGIN, END, label)]
    for number, fields in rows[1:]:
        padded = [*map(clean, fields), *[""] * len(header)]
        start, end, text = (padded[place] for place in places)
        yield number, (start, end, text)


def _is_raven(fields: list[str]) -> bool:
    return BEGIN in map(column_name, fields)


def _number(text: str) -> float | None:
    """Return a number; None for another text."""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
