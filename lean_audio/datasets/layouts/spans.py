"""Where in a file a clip or an annotation is: checked against the length of the file."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pandas as pd

from lean_audio.audio.decode import SAMPLE_RATE_HZ
from lean_audio.audio.faults import BadClipError
from lean_audio.audio.parts import count_samples
from lean_audio.datasets.layouts.label_files import Annotation, check_order, seconds
from lean_audio.datasets.names import seconds_text
from lean_audio.errors import LeanError

TOLERANCE_S = 0.5  # an end may be rounded up, or count an MP3's padding


def length_of(path: Path) -> int | None:
    """Return a sound's length in samples at 16 kHz; None if it cannot be read, as prepare says."""
    return _length_of(path, path.stat().st_mtime_ns)


@cache
def _length_of(path: Path, written_ns: int) -> int | None:
    """Open a file once for all its rows; written_ns tells a file from an earlier one."""
    try:
        return count_samples(path)
    except BadClipError:
        return None


def check_end(where: str, end_s: float, name: str, samples: int | None) -> None:
    """Raise LeanError for an end beyond that of the file."""
    if samples is not None and end_s > samples / SAMPLE_RATE_HZ + TOLERANCE_S:
        raise LeanError(
            f"{where}: {end_s:g} s is beyond the end of {name!r}, {samples / SAMPLE_RATE_HZ:g} s"
        )


def lengths_of(
    root: Path, annotations: Mapping[str, Iterable[Annotation]]
) -> dict[str, int | None]:
    """Return the length of each recording; raise LeanError for an annotation beyond its end."""
    lengths = {file: length_of(root / file) for file in annotations}
    for file, found in annotations.items():
        for annotation in found:
            check_end(annotation.where, annotation.end_s, file, lengths[file])
    return lengths


def part_of_file(where: str, root: Path, file: str, start: str, end: str) -> tuple[str, str]:
    """Return start and end of a clip in a file; a missing one is that of the file.

    Raises LeanError for a time that is no number, a start that is not before its end, and an end
    beyond the file.
    """
    if not start and not end:
        return "", ""
    samples = length_of(root / file)
    start_s = seconds(where, start) if start else 0.0
    last_s = (samples or 0) / SAMPLE_RATE_HZ
    end_s = seconds(where, end) if end else max(last_s, start_s + 1)  # cannot be read: any
    check_order(where, start_s, end_s)
    if samples is not None and start_s >= (shown := min(end_s, last_s)):
        raise LeanError(f"{where}: nothing of {file!r} is between {start_s:g} and {shown:g} s")
    check_end(where, end_s, file, samples)
    return seconds_text(start_s), seconds_text(end_s if samples is None else min(end_s, last_s))


def differing(clips: pd.DataFrame) -> list[str]:
    """Name the parts of files that overlap an earlier one by a second, with other labels."""
    found, before = [], {}
    parts = clips[clips["end_s"] != ""].astype({"start_s": float, "end_s": float})
    for row in parts.sort_values(["file", "start_s"], kind="stable").to_dict("records"):
        end_s, labels = before.get(row["file"], (0.0, ()))
        if end_s - row["start_s"] >= 1 and set(labels) != set(row["labels"]):
            found.append(row["clip"])
        before[row["file"]] = max((end_s, labels), (row["end_s"], row["labels"]))
    return found


def read_events(path: Path, table: pd.DataFrame, rows: pd.DataFrame) -> dict[str, list[Annotation]]:
    """Return the annotations in a table's columns onset and offset, by file.

    A row with neither time nor label is a recording without annotations.
    """
    events: dict[str, list[Annotation]] = {file: [] for file in rows["file"]}
    columns = rows["file"], rows["labels"], table["onset"], table["offset"]
    for line, file, labels, start, end in zip(table.index, *columns, strict=True):
        where = f"{path}, line {line}"
        if not (labels or start or end):
            continue
        start_s, end_s = seconds(where, start), seconds(where, end)
        check_order(where, start_s, end_s)
        if not labels:
            raise LeanError(f"{where}: the label of {start_s:g} to {end_s:g} s is empty")
        events[file].append(Annotation(start_s, end_s, labels, where))
    return events
