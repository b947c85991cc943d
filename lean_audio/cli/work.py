"""What is done with one sound: score it, choose labels or find events, and turn them into text."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lean_audio.audio.faults import BadClipError, DiskError
from lean_audio.audio.opening import Header, read_header
from lean_audio.cli.formats import FORMATS, Format, Kind, Source
from lean_audio.cli.inputs import readable
from lean_audio.cli.writers import Emit, EventWriter, Rows, TagWriter, Writer
from lean_audio.errors import LeanError
from lean_audio.tagger import Aggregate, EventFinder, Span, Tagger, choose
from lean_audio.tagger.tagger import samples_of_hop

PICTURE_SUFFIX = ".png"
Tick = Callable[[float], None]  # receives the seconds of a sound that are done


@dataclass(frozen=True)
class Options:
    """What is wanted of every sound, as the command line names it.

    top: None for DEFAULT_TOP, or for all labels if there is a threshold. threshold: "auto" for each
    label's own, None for no limit. channel: "mix", "split" or a channel's number from 1.
    """

    model: Path
    kind: Kind
    format: str
    top: int | None = None
    threshold: str | float | None = None
    low_threshold: str | float = "auto"
    min_duration_s: float = 0.0
    max_gap_s: float = 0.0
    hop_s: float | None = None
    aggregate: Aggregate = "mean"
    channel: Literal["mix", "split"] | int = "mix"
    labels: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    leaves: bool = False
    pictures: dict[Path, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What came of one file: text, its length, remarks on it, and what is wrong with it, or ""."""

    file: str
    text: str = ""
    length_s: float = 0.0
    remarks: tuple[str, ...] = ()
    fault: str = ""


class Work:
    """Turns sounds into text, one after the other, with one model.

    Raises LeanError if the model cannot be used, or does not fit the options.
    """

    def __init__(self, options: Options):
        self.options, self.tagger = options, Tagger(options.model)
        if options.hop_s is not None:  # before results are written
            samples_of_hop(options.hop_s)
        self.split = options.channel == "split"
        self.format: Format = FORMATS[options.format](options.kind, self.split)
        self.finder = self._finder() if options.kind == "events" else None
        self.rows = self._rows()

    def _names(self) -> dict[str, Any]:
        return {"exclude": self.options.exclude, "leaves": self.options.leaves}

    def _rows(self) -> Rows:
        labels, parents = self.tagger.labels, self.tagger.card.get("parents")
        choice = choose(labels, parents, include=self.options.labels, **self._names())
        return Rows(choice, self.tagger.thresholds, self.options.top, self.options.threshold)

    def _finder(self) -> EventFinder:
        threshold = "auto" if self.options.threshold is None else self.options.threshold
        return self.tagger.event_finder(
            threshold=threshold,
            low_threshold=self.options.low_threshold,
            min_duration_s=self.options.min_duration_s,
            max_gap_s=self.options.max_gap_s,
            labels=self.options.labels,
            **self._names(),
        )

    @property
    def hop_s(self) -> float:
        """Seconds between the starts of chunks."""
        return self.options.hop_s or self.tagger.card["hop_s"]

    def file(self, file: Path, emit: Emit, tick: Tick | None = None, *, name: str = "") -> Outcome:
        """Score a file; what is wrong with it is in the outcome.

        emit: receives text as it comes; name: of the file in what is written, if not its own.
        Raises LeanError if a picture cannot be written.
        """
        name, remarks = name or str(file), dict[str, None]()

        def note(remark: str) -> None:
            remarks.setdefault(f"{name}: {remark}")

        try:
            with readable(file) as path:
                header = read_header(path) if self.split or self.format.needs_header else Header()
                length_s = 0.0
                for channel in self._channels(header):
                    blocks = self.tagger.file_blocks(path, channel=channel, note=note)
                    source = Source(name, channel, header.rate_hz)
                    length_s = self._channel(file, source, blocks, emit, tick)
        except (BadClipError, DiskError) as error:
            told = str(error) if isinstance(error, DiskError) else f"{name}: {error}"
            return Outcome(name, remarks=tuple(remarks), fault=told)
        return Outcome(name, length_s=header.length_s or length_s, remarks=tuple(remarks))

    def _channels(self, header: Header) -> Sequence[int | None]:
        """Return the channels to score one by one; None is the mean of all."""
        if self.options.channel == "split":
            return range(1, header.channels + 1)
        return [None if self.options.channel == "mix" else self.options.channel]

    def _channel(
        self,
        file: Path,
        source: Source,
        blocks: Iterable[np.ndarray],
        emit: Emit,
        tick: Tick | None,
    ) -> float:
        """Score one channel of a file, or the mean of all; return the length in seconds."""
        picture = self.options.pictures.get(file)
        if not picture:
            return self.write(source, self.score(blocks, tick), emit)
        from lean_audio.cli.plot import Timeline

        timeline = Timeline(self.tagger.labels, title=file.name)
        spans = timeline.spans(self.score(timeline.blocks(blocks), tick))
        length_s = self.write(source, spans, emit)
        number = f".{source.channel}{PICTURE_SUFFIX}"
        timeline.save(picture.with_suffix(number) if self.split else picture)
        return length_s

    def score(self, blocks: Iterable[np.ndarray], tick: Tick | None = None) -> Iterator[Span]:
        """Score the chunks of blocks of samples, (n,) int16 at 16 kHz each."""
        for span in self.tagger.score_blocks(blocks, self.options.hop_s):
            if tick:
                tick(span.end_s)
            yield span

    def write(
        self, source: Source, spans: Iterable[Span], emit: Emit, *, live: bool = False
    ) -> float:
        """Write what is wanted of a source; return its length in seconds.

        live: a source that may never end. If it ends with an error, what came before is written.
        Raises LeanError for a source without samples.
        """
        writer, end_s = self._writer(source, emit, live), 0.0
        try:
            for span in spans:
                writer.add(span)
                end_s = span.end_s
        except LeanError:
            if live:
                writer.end()
            raise
        if not end_s:
            raise LeanError(f"{source.file}: no samples on standard input")
        writer.end()
        return end_s

    def _writer(self, source: Source, emit: Emit, live: bool) -> Writer:
        if self.finder:
            return EventWriter(self.format, self.finder, source, emit, live)
        return TagWriter(self.format, self.rows, self.options.aggregate, source, emit, live)
