"""How tags and events are written: a table for people, CSV, JSON Lines, Audacity and Raven.

A format turns one result into text. Where that text depends on what was written before it, as
numbers and times in a Raven table of several files do, `place` changes it afterwards; so results
can be made in any order and by other processes.
"""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lean_audio.tagger import Event

Kind = Literal["clips", "timeline", "events"]
MAX_HZ = 8000.0  # what 16 kHz can hold
_BREAKS = re.compile(r"[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True)
class Source:
    """What is scored. channel: the only one that is, from 1; None for the mean of all."""

    file: str
    channel: int | None = None
    rate_hz: float = 2 * MAX_HZ


@dataclass(frozen=True)
class Tags:
    """Labels and scores of one clip or chunk, the highest first."""

    start_s: float
    end_s: float
    silent: bool
    scores: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Position:
    """Where in a file of results the next text goes: behind `rows` rows and length_s of sound."""

    rows: int = 0
    length_s: float = 0.0

    def after(self, rows: int, length_s: float) -> "Position":
        return replace(self, rows=self.rows + rows, length_s=self.length_s + length_s)


class Format:
    """Base of all formats; kind: of results; split: whether channels are written one by one."""

    many_files = True  # fit into one file of results
    needs_header = False  # of each sound file: its rate and its length

    def __init__(self, kind: Kind, split: bool = False):
        self.kind, self.split = kind, split

    def header(self) -> str:
        """Return what a file of results starts with."""
        return ""

    def start(self, source: Source) -> str:
        """Return what the timeline or the events of a source start with."""
        return ""

    def tags(self, source: Source, tags: Tags) -> str:
        """Return a clip or a chunk; kind is "clips" or "timeline"."""
        raise NotImplementedError

    def event(self, source: Source, event: Event) -> str:
        raise NotImplementedError

    def nothing(self, source: Source) -> str:
        """Return what stands for a source without events."""
        return ""

    def place(self, text: str, position: Position) -> tuple[str, int]:
        """Return text as it is behind what is written already, and its number of rows."""
        return text, 0


class Table(Format):
    """For people: a heading per clip, and an indented line per label."""

    def start(self, source: Source) -> str:
        return f"{self._title(source)}\n"

    def tags(self, source: Source, tags: Tags) -> str:
        if self.kind == "timeline":
            shown = ", ".join(f"{label} {score:.3f}" for label, score in tags.scores)
            return f"{_times(tags.start_s, tags.end_s)}  {shown or _no_label(tags)}\n"
        width = max((len(label) for label, _ in tags.scores), default=0)
        lines = [f"  {label:{width}}  {score:.3f}\n" for label, score in tags.scores]
        heading = f"{self._title(source)}  ({tags.end_s:.2f} s)\n"
        return heading + ("".join(lines) or f"  {_no_label(tags)}\n")

    def event(self, source: Source, event: Event) -> str:
        scores = f"peak {event.peak:.3f}  mean {event.mean:.3f}"
        return f"{_times(event.onset_s, event.offset_s)}  {scores}  {event.label}\n"

    def nothing(self, source: Source) -> str:
        return "  (none)\n"

    def _title(self, source: Source) -> str:
        return f"{source.file}  channel {source.channel}" if self.split else source.file


def _times(start_s: float, end_s: float) -> str:
    return f"{start_s:8.2f} - {end_s:8.2f} s"


def _no_label(tags: Tags) -> str:
    return "(silent)" if tags.silent else "(none)"


class Csv(Format):
    """One row per label of a clip or chunk, or per event; a column `channel` if split."""

    COLUMNS = ("file", "start_s", "end_s", "label", "score")
    EVENT_COLUMNS = ("file", "onset", "offset", "label", "peak", "mean")  # onset and offset in s

    def header(self) -> str:
        columns = self.EVENT_COLUMNS if self.kind == "events" else self.COLUMNS
        return _csv_row(*columns, *(("channel",) if self.split else ()))

    def tags(self, source: Source, tags: Tags) -> str:
        times = f"{tags.start_s:.3f}", f"{tags.end_s:.3f}"
        return "".join(
            _csv_row(source.file, *times, label, f"{score:.6f}", *self._channel(source))
            for label, score in tags.scores
        )

    def event(self, source: Source, event: Event) -> str:
        times = f"{event.onset_s:.3f}", f"{event.offset_s:.3f}"
        scores = f"{event.peak:.6f}", f"{event.mean:.6f}"
        return _csv_row(source.file, *times, event.label, *scores, *self._channel(source))

    def _channel(self, source: Source) -> tuple[int | None, ...]:
        return (source.channel,) if self.split else ()


def _csv_row(*fields: object) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(fields)
    return row.getvalue()


class JsonLines(Format):
    """One JSON object per line, for a clip, a chunk or an event."""

    def tags(self, source: Source, tags: Tags) -> str:
        labels = [{"label": label, "score": score} for label, score in tags.scores]
        times = {"start_s": tags.start_s, "end_s": tags.end_s}
        return self._line(source, **times, silent=tags.silent, labels=labels)

    def event(self, source: Source, event: Event) -> str:
        times = {"onset_s": event.onset_s, "offset_s": event.offset_s}
        return self._line(source, **times, label=event.label, peak=event.peak, mean=event.mean)

    def _line(self, source: Source, **content: object) -> str:
        channel = {"channel": source.channel} if self.split else {}
        return json.dumps({"file": source.file, **channel, **content}) + "\n"


class Audacity(Format):
    """A label track (File > Import > Labels): start, end and label, with tabs between.

    The format has no column for the file, so each sound has a track of its own.
    """

    many_files = False

    def tags(self, source: Source, tags: Tags) -> str:
        return "".join(_track_row(tags.start_s, tags.end_s, label) for label, _ in tags.scores)

    def event(self, source: Source, event: Event) -> str:
        return _track_row(event.onset_s, event.offset_s, event.label)


def _track_row(start_s: float, end_s: float, label: str) -> str:
    return f"{start_s:.6f}\t{end_s:.6f}\t{_field(label)}\n"


class Raven(Format):
    """A selection table: one row per label, with tabs between.

    Begin and End Time count from the start of the first of the table's files, as when Raven opens
    them in this order as one sequence; File Offset counts from the start of the row's own file.
    """

    COLUMNS = (
        *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)"),
        *("Low Freq (Hz)", "High Freq (Hz)", "Annotation", "Score", "Begin File", "Begin Path"),
        "File Offset (s)",
    )
    TIMES = (3, 4)
    needs_header = True

    def header(self) -> str:
        return _tab_row(self.COLUMNS)

    def tags(self, source: Source, tags: Tags) -> str:
        return "".join(
            self._row(source, tags.start_s, tags.end_s, label, score)
            for label, score in tags.scores
        )

    def event(self, source: Source, event: Event) -> str:
        return self._row(source, event.onset_s, event.offset_s, event.label, event.peak)

    def _row(self, source: Source, start_s: float, end_s: float, label: str, score: float) -> str:
        high_hz = min(MAX_HZ, source.rate_hz / 2)
        file = Path(source.file)
        return _tab_row(
            ("", "Spectrogram 1", str(source.channel or 1), f"{start_s:.6f}", f"{end_s:.6f}")
            + ("0.0", f"{high_hz:.1f}", _field(label), f"{score:.6f}")
            + (_field(file.name), _field(str(file.absolute())), f"{start_s:.6f}")
        )

    def place(self, text: str, position: Position) -> tuple[str, int]:
        rows = [line.split("\t") for line in text.split("\n") if line]
        for number, row in enumerate(rows, position.rows + 1):
            row[0] = str(number)
            for column in self.TIMES:
                row[column] = f"{float(row[column]) + position.length_s:.6f}"
        return "".join(map(_tab_row, rows)), len(rows)


def _tab_row(fields: Sequence[str]) -> str:
    return "\t".join(fields) + "\n"


def _field(text: str) -> str:
    """Return text without what would begin another field or line."""
    return _BREAKS.sub(" ", text)


FORMATS = {
    "table": Table,
    "csv": Csv,
    "json": JsonLines,
    "audacity": Audacity,
    "raven": Raven,
}
