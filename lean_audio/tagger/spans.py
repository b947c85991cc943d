"""Scores of chunks, and how they become the scores of a clip."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from lean_audio.errors import LeanError

Aggregate = Literal["mean", "max"]


@dataclass(frozen=True)
class Span:
    """Scores of one chunk, or of a clip.

    start_s, end_s: in the clip; scores: (classes,) float32; silent: below SILENT_DBFS, so that no
    label should be called whatever the scores are.
    """

    start_s: float
    end_s: float
    scores: np.ndarray
    silent: bool = False


class Summary:
    """The scores of one clip, from those of its chunks as they come.

    aggregate: "mean" (paper, IV), as the thresholds and metrics take it, or "max", to which silent
    chunks add nothing. Raises LeanError for another one.
    """

    def __init__(self, aggregate: Aggregate = "mean"):
        if aggregate not in get_args(Aggregate):
            allowed = " or ".join(get_args(Aggregate))
            raise LeanError(f"aggregate is {aggregate!r}; it must be {allowed}")
        self.aggregate = aggregate
        self.chunks = 0
        self._scores: np.ndarray | None = None
        self._end_s, self._silent = 0.0, True

    def add(self, span: Span) -> None:
        """Count one chunk in."""
        scores = span.scores.astype(np.float64)
        if span.silent and self.aggregate == "max":
            scores = np.zeros_like(scores)
        if self._scores is not None:
            combine = np.add if self.aggregate == "mean" else np.maximum
            scores = combine(self._scores, scores)
        self._scores, self.chunks = scores, self.chunks + 1
        self._end_s, self._silent = span.end_s, self._silent and span.silent

    def clip(self) -> Span:
        """Return the clip, silent if all its chunks are. Raises LeanError if there were none."""
        if self._scores is None:
            raise LeanError("no samples, so there is nothing to score")
        scores = self._scores / self.chunks if self.aggregate == "mean" else self._scores
        return Span(0.0, self._end_s, scores.astype(np.float32), self._silent)


def summarize(spans: Iterable[Span], aggregate: Aggregate = "mean") -> Span:
    """Return a clip's scores from those of its chunks."""
    summary = Summary(aggregate)
    for span in spans:
        summary.add(span)
    return summary.clip()


def clip_scores(spans: Iterable[Span]) -> np.ndarray:
    """Average the scores of a clip's chunks (paper, IV): (classes,) float32."""
    return summarize(spans).scores
