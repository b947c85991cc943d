"""Print tags: a table for people, CSV for annotation tools, JSON for programs."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lean_audio.tagger import Span, Tagger

DEFAULT_TOP = 5
CSV_COLUMNS = ("file", "start_s", "end_s", "label", "score")


class Rows:
    """Selects the labels to print: those with the highest scores.

    top: largest number of labels; None for DEFAULT_TOP, or for all if there is a threshold.
    threshold: lowest score that is printed, "auto" for each label's own, None for no limit.
    """

    def __init__(self, tagger: Tagger, top: int | None, threshold: str | float | None):
        self.labels = tagger.labels
        self.least = tagger.thresholds if threshold == "auto" else threshold
        self.top = top or (DEFAULT_TOP if threshold is None else len(self.labels))

    def of(self, span: Span) -> list[tuple[str, float]]:
        """Return the selected labels and scores, highest first; none if the span is silent."""
        if span.silent:
            return []
        shown = np.argsort(-span.scores, kind="stable")
        if self.least is not None:
            shown = shown[(span.scores >= self.least)[shown]]
        return [(self.labels[index], float(span.scores[index])) for index in shown[: self.top]]


class Writer:
    """Base of all formats.

    timeline: chunks are written instead of clips. split: channels are written one by one; `channel`
    is then the number of the one that comes next.
    """

    def __init__(self, rows: Rows, timeline: bool, split: bool = False):
        self.rows, self.timeline, self.split = rows, timeline, split
        self.channel: int | None = None

    def start(self, file: str) -> None:
        """Begin the timeline of a file."""

    def span(self, file: str, span: Span) -> None:
        """Write one chunk."""
        raise NotImplementedError

    def clip(self, file: str, clip: Span) -> None:
        """Write one clip."""
        raise NotImplementedError


class TableWriter(Writer):
    """Writes one heading per clip and one indented line per label."""

    def start(self, file: str) -> None:
        print(f"{file}{self._which()}")

    def span(self, file: str, span: Span) -> None:
        tags = ", ".join(f"{label} {score:.3f}" for label, score in self.rows.of(span))
        print(f"{span.start_s:8.2f} - {span.end_s:8.2f} s  {tags or _no_label(span)}", flush=True)

    def clip(self, file: str, clip: Span) -> None:
        print(f"{file}{self._which()}  ({clip.end_s:.2f} s)")
        tags = self.rows.of(clip)
        width = max((len(label) for label, _ in tags), default=0)
        for label, score in tags:
            print(f"  {label:{width}}  {score:.3f}")
        if not tags:
            print(f"  {_no_label(clip)}")

    def _which(self) -> str:
        return f"  channel {self.channel}" if self.split else ""


def _no_label(span: Span) -> str:
    return "(silent)" if span.silent else "(none)"


class RecordWriter(Writer):
    """Base of the formats for programs: one record per clip or, with `timeline`, per chunk."""

    def span(self, file: str, span: Span) -> None:
        if self.timeline:
            self.write(file, span)

    def clip(self, file: str, clip: Span) -> None:
        self.write(file, clip)

    def write(self, file: str, span: Span) -> None:
        raise NotImplementedError


class CsvWriter(RecordWriter):
    """Writes one row per span and label: file, start_s, end_s, label, score; channel if split."""

    def __init__(self, rows: Rows, timeline: bool, split: bool = False):
        super().__init__(rows, timeline, split)
        self.csv = csv.writer(sys.stdout, lineterminator="\n")
        self.csv.writerow((*CSV_COLUMNS, *(("channel",) if split else ())))

    def write(self, file: str, span: Span) -> None:
        channel = (self.channel,) if self.split else ()
        for label, score in self.rows.of(span):
            times = f"{span.start_s:.3f}", f"{span.end_s:.3f}"
            self.csv.writerow((file, *times, label, f"{score:.6f}", *channel))
        sys.stdout.flush()


class JsonWriter(RecordWriter):
    """Writes one JSON object per line, for a clip or, with `timeline`, a chunk."""

    def write(self, file: str, span: Span) -> None:
        tags = [{"label": label, "score": score} for label, score in self.rows.of(span)]
        channel = {"channel": self.channel} if self.split else {}
        times = {"start_s": span.start_s, "end_s": span.end_s}
        content = {"file": file, **channel, **times, "silent": span.silent, "labels": tags}
        print(json.dumps(content), flush=True)


WRITERS = {"table": TableWriter, "csv": CsvWriter, "json": JsonWriter}


def print_card(path: Path, labels: list[str], card: dict[str, Any], checksum: bool | None) -> None:
    """Print what `lean-audio info` shows: the card, and the labels with their thresholds.

    checksum: whether the weights have theirs; None if none is stored.
    """
    print(f"{path}  ({path.stat().st_size:,} bytes)")
    for name, value in card.items():
        if name not in ("thresholds", "calibration"):
            print(f"  {name}: {value}")
    stored = {True: "the weights are as they were written", None: "none is stored in this file"}
    print(f"  checksum: {stored.get(checksum, 'wrong')}")
    print(f"  labels ({len(labels)}), each with its threshold:")
    for label, threshold in zip(labels, card["thresholds"], strict=True):
        print(f"    {label}  {threshold:.3f}")
