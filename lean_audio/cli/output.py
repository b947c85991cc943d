"""Print tags: a table for people, CSV for annotation tools, JSON for programs."""

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lean_audio.tagger import Span, Tagger

DEFAULT_TOP = 5
CSV_COLUMNS = ("file", "start_s", "end_s", "label", "score")


@dataclass(frozen=True)
class Result:
    """One clip: its chunks and their mean score."""

    file: str
    spans: list[Span]
    scores: np.ndarray

    @property
    def clip_span(self) -> Span:
        """Return the clip as one span, with its mean scores."""
        return Span(0.0, self.spans[-1].end_s, self.scores)


class Rows:
    """Selects the labels to print: those with the highest scores.

    top: largest number of labels; None for DEFAULT_TOP, or for all if there is a threshold.
    threshold: lowest score that is printed, "auto" for each label's own, None for no limit.
    """

    def __init__(self, tagger: Tagger, top: int | None, threshold: str | float | None):
        self.labels = tagger.labels
        self.least = tagger.thresholds if threshold == "auto" else threshold
        self.top = top or (DEFAULT_TOP if threshold is None else len(self.labels))

    def of(self, scores: np.ndarray) -> list[tuple[str, float]]:
        """Return the selected labels and scores, highest first; scores: (classes,)."""
        shown = np.argsort(-scores, kind="stable")
        if self.least is not None:
            shown = shown[(scores >= self.least)[shown]]
        return [(self.labels[index], float(scores[index])) for index in shown[: self.top]]


class TableWriter:
    """Writes one heading per clip and one indented line per label."""

    def __init__(self, rows: Rows, timeline: bool):
        self.rows, self.timeline = rows, timeline

    def span(self, file: str, span: Span) -> None:
        tags = ", ".join(f"{label} {score:.3f}" for label, score in self.rows.of(span.scores))
        print(f"{span.start_s:8.2f} - {span.end_s:8.2f} s  {tags or '(none)'}", flush=True)

    def clip(self, result: Result) -> None:
        print(f"{result.file}  ({result.spans[-1].end_s:.2f} s)")
        if self.timeline:
            for span in result.spans:
                self.span(result.file, span)
            return
        tags = self.rows.of(result.scores)
        width = max((len(label) for label, _ in tags), default=0)
        for label, score in tags:
            print(f"  {label:{width}}  {score:.3f}")
        if not tags:
            print("  (none)")


class RecordWriter:
    """Base of the formats for programs: one record per clip or, with `timeline`, per chunk."""

    def __init__(self, rows: Rows, timeline: bool):
        self.rows, self.timeline = rows, timeline

    def span(self, file: str, span: Span) -> None:
        if self.timeline:
            self.write(file, span)

    def clip(self, result: Result) -> None:
        for span in result.spans if self.timeline else [result.clip_span]:
            self.write(result.file, span)

    def write(self, file: str, span: Span) -> None:
        raise NotImplementedError


class CsvWriter(RecordWriter):
    """Writes one row per span and label: file, start_s, end_s, label, score."""

    def __init__(self, rows: Rows, timeline: bool):
        super().__init__(rows, timeline)
        self.csv = csv.writer(sys.stdout, lineterminator="\n")
        self.csv.writerow(CSV_COLUMNS)

    def write(self, file: str, span: Span) -> None:
        for label, score in self.rows.of(span.scores):
            self.csv.writerow(
                (file, f"{span.start_s:.3f}", f"{span.end_s:.3f}", label, f"{score:.6f}")
            )
        sys.stdout.flush()


class JsonWriter(RecordWriter):
    """Writes one JSON object per line, for a clip or, with `timeline`, a chunk."""

    def write(self, file: str, span: Span) -> None:
        tags = [{"label": label, "score": score} for label, score in self.rows.of(span.scores)]
        content = {"file": file, "start_s": span.start_s, "end_s": span.end_s, "labels": tags}
        print(json.dumps(content), flush=True)


WRITERS = {"table": TableWriter, "csv": CsvWriter, "json": JsonWriter}


def print_card(path: Path, labels: list[str], card: dict[str, Any]) -> None:
    """Print what `lean-audio info` shows: the card, and the labels with their thresholds."""
    print(f"{path}  ({path.stat().st_size:,} bytes)")
    for name, value in card.items():
        if name not in ("thresholds", "calibration"):
            print(f"  {name}: {value}")
    print(f"  labels ({len(labels)}), each with its threshold:")
    for label, threshold in zip(labels, card["thresholds"], strict=True):
        print(f"    {label}  {threshold:.3f}")
