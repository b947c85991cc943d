"""What is written of one source while its chunks come: its clip, its timeline or its events."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from lean_audio.cli.formats import Format, Source, Table, Tags
from lean_audio.tagger import Aggregate, Choice, Event, EventFinder, Span, Summary

DEFAULT_TOP = 5
Emit = Callable[[str], None]  # receives text


class Writer(Protocol):
    """Receives the chunks of one source."""

    def add(self, span: Span) -> None: ...

    def end(self) -> None:
        """Write what is left; the source may have ended with an error."""
        ...


class Rows:
    """Selects the labels of a clip or chunk to write: those with the highest scores.

    own: (classes,) the model's thresholds. top: largest number of labels; None for DEFAULT_TOP, or
    for all if there is a threshold. threshold: lowest score, "auto" for each label's own, None for
    no limit.
    """

    def __init__(
        self, choice: Choice, own: np.ndarray, top: int | None, threshold: str | float | None
    ):
        self.choice, own = choice, own[choice.columns]
        self.least = own if threshold == "auto" else threshold
        self.called_from = own if self.least is None else self.least
        self.top = top or (DEFAULT_TOP if threshold is None else len(own))

    def of(self, span: Span) -> Tags:
        """Return the selected labels and scores, highest first; none if the span is silent."""
        found = [] if span.silent else self._ranked(span.scores[self.choice.columns])
        return Tags(span.start_s, span.end_s, span.silent, found)

    def _ranked(self, scores: np.ndarray) -> list[tuple[str, float]]:
        shown = ~self.choice.giving_way(scores >= self.called_from)
        if self.least is not None:
            shown &= scores >= self.least
        places = np.argsort(-scores, kind="stable")
        places = places[shown[places]][: self.top]
        return [(self.choice.names[place], float(scores[place])) for place in places]


class TagWriter:
    """Writes the chunks of a timeline, or else the clip.

    live: a source that may never end, so a table shows the chunks of a clip too.
    """

    def __init__(
        self,
        shape: Format,
        rows: Rows,
        aggregate: Aggregate,
        source: Source,
        emit: Emit,
        live: bool,
    ):
        self.format, self.rows, self.source, self.emit = shape, rows, source, emit
        self.timeline = shape.kind == "timeline"
        self.heading = self.timeline and not live
        shows_chunks = live and isinstance(shape, Table)
        self.chunks = shape if self.timeline else Table("timeline") if shows_chunks else None
        self.summary = Summary(aggregate)

    def add(self, span: Span) -> None:
        if self.heading and not self.summary.chunks:
            self.emit(self.format.start(self.source))
        if self.chunks:
            self.emit(self.chunks.tags(self.source, self.rows.of(span)))
        self.summary.add(span)

    def end(self) -> None:
        if self.summary.chunks and not self.timeline:
            self.emit(self.format.tags(self.source, self.rows.of(self.summary.clip())))


class EventWriter:
    """Writes events in the order of their onsets; of a live source, as they end."""

    def __init__(self, shape: Format, finder: EventFinder, source: Source, emit: Emit, live: bool):
        self.format, self.finder, self.source = shape, finder, source
        self.emit, self.live = emit, live
        self.heading, self.waiting = not live, list[Event]()
        finder.close()  # what is left of a source that ended with an error

    def add(self, span: Span) -> None:
        if self.heading:
            self.emit(self.format.start(self.source))
        self.heading = False
        self._take(self.finder.add(span))

    def end(self) -> None:
        self._take(self.finder.close())
        for event in sorted(self.waiting):
            self.emit(self.format.event(self.source, event))
        if not self.waiting and not self.live:
            self.emit(self.format.nothing(self.source))

    def _take(self, events: list[Event]) -> None:
        if not self.live:
            self.waiting += events
            return
        for event in events:
            self.emit(self.format.event(self.source, event))
