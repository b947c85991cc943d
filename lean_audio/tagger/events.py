"""Events: when a label begins and ends, from the scores of chunks as they come.

A chunk stands for the sound around its middle: up to halfway to the middles of the chunks before
and after it, and to the ends of the clip. So a sound that is much shorter than a chunk is placed
where it is, although all chunks that contain some of it score high.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from lean_audio.tagger.labels import Choice
from lean_audio.tagger.spans import Span

TOLERANCE_S = 1e-6  # of comparisons: sums of times in seconds are not exact


@dataclass(frozen=True, order=True)
class Event:
    """One label from onset_s to offset_s; peak, mean: of its score in the chunks between."""

    onset_s: float
    offset_s: float
    label: str
    peak: float
    mean: float


@dataclass
class _Stretch:
    """Consecutive chunks of one label; called: whether one of them reaches the threshold."""

    start_s: float
    end_s: float
    total: float = 0.0
    chunks: int = 0
    peak: float = 0.0
    called: bool = False

    def add(self, end_s: float, score: float, called: bool) -> None:
        self.end_s = end_s
        self.total, self.chunks = self.total + score, self.chunks + 1
        self.peak, self.called = max(self.peak, score), self.called or called

    def join(self, other: "_Stretch") -> None:
        self.end_s = other.end_s
        self.total, self.chunks = self.total + other.total, self.chunks + other.chunks
        self.peak, self.called = max(self.peak, other.peak), self.called or other.called


@dataclass
class _Track:
    """One label: the event that may go on, what came after it, and the stretch that is open."""

    event: _Stretch | None = None
    gap: _Stretch | None = None
    open: _Stretch | None = None

    def close_stretch(self) -> None:
        """End the open stretch: it is an event, prolongs the one before, or was too faint."""
        stretch, self.open = self.open, None
        if stretch and stretch.called:
            if self.event:
                if self.gap:
                    self.event.join(self.gap)
                self.event.join(stretch)
            self.event, self.gap = self.event or stretch, None
        elif stretch and self.event:
            self._widen_gap(stretch)

    def pass_over(self, start_s: float, end_s: float, score: float) -> None:
        """Count in a chunk that is below the lower threshold."""
        if self.event:
            chunk = _Stretch(start_s, end_s)
            chunk.add(end_s, score, False)
            self._widen_gap(chunk)

    def take_event(self) -> _Stretch | None:
        """Return the event, which nothing can prolong any more."""
        event, self.event, self.gap = self.event, None, None
        return event

    def _widen_gap(self, stretch: _Stretch) -> None:
        if self.gap:
            self.gap.join(stretch)
        else:
            self.gap = stretch


class EventFinder:
    """Finds events in chunks as they come, with the same result as in a finished recording.

    An event is a stretch of chunks that score at least `low`, one of them at least `high`
    (hysteresis). A label that gives way to a more specific one does not score; nor does silence.

    Parameters
    ----------
    choice
        Labels to find.
    high, low
        (classes,) thresholds of all labels of the model; `low` is at most `high`.
    min_duration_s
        Events that are shorter, after gaps are bridged, are left out.
    max_gap_s
        Events of one label with at most this much between them are one.
    """

    def __init__(
        self,
        choice: Choice,
        high: np.ndarray,
        low: np.ndarray,
        *,
        min_duration_s: float = 0.0,
        max_gap_s: float = 0.0,
    ):
        self.choice = choice
        self.high, self.low = high[choice.columns], low[choice.columns]
        self.min_duration_s, self.max_gap_s = min_duration_s, max_gap_s
        self._tracks: dict[int, _Track] = {}
        self._last: Span | None = None
        self._edge_s = 0.0

    def add(self, span: Span) -> list[Event]:
        """Count in the next chunk; return the events that it shows to be over."""
        before, self._last = self._last, span
        if before is None:
            self._edge_s = span.start_s
            return []
        return self._count(before, (_middle_s(before) + _middle_s(span)) / 2)

    def close(self) -> list[Event]:
        """End the clip; return the events that are left. The next chunk begins another clip."""
        ended = self._count(self._last, self._last.end_s) if self._last else []
        for column, track in self._tracks.items():
            track.close_stretch()
            ended += self._event(column, track.take_event())
        self._tracks, self._last = {}, None
        return sorted(ended)

    def _count(self, span: Span, end_s: float) -> list[Event]:
        """Count in a chunk that stands for the time from the last edge to end_s."""
        start_s, self._edge_s = self._edge_s, end_s
        scores = span.scores[self.choice.columns] * (not span.silent)
        called = (scores >= self.high) & (not span.silent)
        shown = ~self.choice.giving_way(called) & (not span.silent)
        audible = (scores >= self.low) & shown
        ended: list[Event] = []
        for column in sorted({*self._tracks, *np.flatnonzero(audible).tolist()}):
            track, score = self._tracks.setdefault(column, _Track()), float(scores[column])
            if audible[column]:
                track.open = track.open or _Stretch(start_s, end_s)
                track.open.add(end_s, score, bool(called[column]))
                next_s = track.open.start_s
            else:
                track.close_stretch()
                track.pass_over(start_s, end_s, score)
                next_s = end_s
            if track.event and next_s - track.event.end_s > self.max_gap_s + TOLERANCE_S:
                ended += self._event(column, track.take_event())
            if not track.event and not track.open:
                del self._tracks[column]
        return sorted(ended)

    def _event(self, column: int, found: _Stretch | None) -> list[Event]:
        if not found or found.end_s - found.start_s < self.min_duration_s - TOLERANCE_S:
            return []
        mean = found.total / found.chunks
        label = self.choice.names[column]
        return [Event(found.start_s, found.end_s, label, found.peak, mean)]


def _middle_s(span: Span) -> float:
    return (span.start_s + span.end_s) / 2


def find_events(spans: Iterable[Span], finder: EventFinder) -> Iterator[Event]:
    """Yield the events of one clip as they end, from its chunks; sorted(...) orders by onset."""
    for span in spans:
        yield from finder.add(span)
    yield from finder.close()
