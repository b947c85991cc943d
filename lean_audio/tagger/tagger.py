"""One shipped .tflite: complete clips, or a stream as it arrives."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Unpack

import numpy as np

from lean_audio.audio.arrays import convert_blocks
from lean_audio.audio.channels import is_silent
from lean_audio.audio.chunking import CHUNK_SAMPLES, chunk_views
from lean_audio.audio.decode import SAMPLE_RATE_HZ, read_blocks, to_float
from lean_audio.audio.faults import BadClipError, Note, check_regular
from lean_audio.errors import LeanError
from lean_audio.tagger.events import Event, EventFinder, find_events
from lean_audio.tagger.settings import EventSettings, make_finder
from lean_audio.tagger.spans import Aggregate, Span, summarize
from lean_audio.tflite.card import read_card
from lean_audio.tflite.runtime import Runtime

Sound = Path | str | np.ndarray  # a file, or samples


class Tagger:
    """A shipped model, ready to score sound.

    Parameters
    ----------
    path
        A .tflite as the pipeline writes it to models/.
    threads
        Of the interpreter.

    Attributes
    ----------
    labels : list of str
        Of the scores, in order.
    card : dict
        Content of lean.json: thresholds, calibration, chunking, data and licence.

    Raises
    ------
    LeanError
        If the file does not exist, is cut or damaged, has no labels and card or wrong ones, or does
        not run here.
    """

    def __init__(self, path: Path | str, threads: int = 1):
        self.path = Path(path)
        self.labels, self.card = read_card(self.path)
        self._runtime = Runtime(self.path, threads, name=str(path))
        if self._runtime.outputs != len(self.labels):
            raise LeanError(
                f"{path}: labels.txt has {len(self.labels)} labels for the model's "
                f"{self._runtime.outputs} outputs; each output needs one"
            )

    @cached_property
    def thresholds(self) -> np.ndarray:
        """Score from which a label is assigned, (classes,) float32."""
        return np.array(self.card["thresholds"], np.float32)

    @property
    def hop_samples(self) -> int:
        return round(self.card["hop_s"] * SAMPLE_RATE_HZ)

    def __call__(
        self,
        sound: Sound,
        *,
        rate_hz: float | None = None,
        channel: int | None = None,
        aggregate: Aggregate = "mean",
    ) -> dict[str, float]:
        """Score a sound of any length, rate and number of channels.

        Parameters
        ----------
        sound
            A file, or samples: (n,) or (n, channels); int16, int32, or float in [-1, 1).
        rate_hz
            Sampling rate of samples; a file states its own.
        channel
            Number of the only channel to score, from 1; None for the mean of all.
        aggregate
            How the scores of a clip's chunks become the clip's.

        Returns
        -------
        dict
            Label -> score of the clip; the highest first. All 0 for a silent clip.

        Raises
        ------
        BadClipError
            If there is no such file, or it is damaged or empty.
        DiskError
            If the disk cannot read it.
        LeanError
            If samples have no rate, or another type or shape, or there are none.
        """
        clip = summarize(self.chunks(sound, rate_hz=rate_hz, channel=channel), aggregate)
        scores = (clip.scores * (not clip.silent)).tolist()
        ranked = sorted(zip(self.labels, scores, strict=True), key=lambda pair: -pair[1])
        return dict(ranked)

    predict = __call__

    def chunks(
        self,
        sound: Sound,
        *,
        rate_hz: float | None = None,
        channel: int | None = None,
        hop_s: float | None = None,
    ) -> Iterator[Span]:
        """Score each chunk of a sound.

        hop_s: seconds between the starts of chunks, above 0 and at most 1; None for the model's.
        The rest, and what is raised, is as for calling the tagger.
        """
        if isinstance(sound, np.ndarray):
            if rate_hz is None:
                raise LeanError("samples need their sampling rate: rate_hz=44_100, for example")
            return self.stream([sound], rate_hz=rate_hz, channel=channel, hop_s=hop_s)
        return self.file_spans(sound, channel=channel, hop_s=hop_s)

    def events(
        self,
        sound: Sound | Iterable[np.ndarray],
        *,
        rate_hz: float | None = None,
        channel: int | None = None,
        hop_s: float | None = None,
        **settings: Unpack[EventSettings],
    ) -> Iterator[Event]:
        """Yield when each label begins and ends, as soon as it has ended; sorted(...) for onsets.

        Parameters
        ----------
        sound, rate_hz, channel
            As for calling the tagger; also blocks of samples as they arrive.
        hop_s
            Seconds between the starts of chunks, above 0 and at most 1; None for the model's. A
            finer hop places events more exactly and takes longer.
        settings
            Thresholds, durations and labels: see EventSettings.

        Raises
        ------
        BadClipError, DiskError, LeanError
            As for calling the tagger; LeanError for a setting that is not allowed.
        """
        finder = self.event_finder(**settings)
        if isinstance(sound, Path | str | np.ndarray):
            spans = self.chunks(sound, rate_hz=rate_hz, channel=channel, hop_s=hop_s)
        else:
            rate_hz = rate_hz or SAMPLE_RATE_HZ
            spans = self.stream(sound, rate_hz=rate_hz, channel=channel, hop_s=hop_s)
        return find_events(spans, finder)

    def event_finder(
        self,
        **settings: Unpack[EventSettings],
    ) -> EventFinder:
        """Return what finds events in the chunks of a stream."""
        parents = self.card.get("parents")
        return make_finder(self.labels, parents, self.thresholds, **settings)

    def file_spans(
        self,
        path: Path | str,
        *,
        channel: int | None = None,
        hop_s: float | None = None,
        note: Note | None = None,
    ) -> Iterator[Span]:
        """Score each chunk of a sound file, in memory that does not grow with its length.

        channel, hop_s: as of chunks. note: receives remarks on the sound; with it, a sound that is
        cut or damaged is scored up to there. Raises BadClipError or DiskError.
        """
        return self.score_blocks(self.file_blocks(path, channel=channel, note=note), hop_s)

    def file_blocks(
        self, path: Path | str, *, channel: int | None = None, note: Note | None = None
    ) -> Iterator[np.ndarray]:
        """Yield the samples that file_spans scores, (n,) int16 at 16 kHz each."""
        check_regular(Path(path))
        return read_blocks(Path(path), self.card["resampler"], channel=channel, note=note)

    def spans(self, samples: np.ndarray) -> Iterator[Span]:
        """Score each chunk of a clip.

        samples: (n,) int16 at 16 kHz; raises LeanError for another type or shape.
        """
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise LeanError(
                f"samples are {samples.dtype} of shape {samples.shape}: spans takes int16 of shape "
                "(n,), mono at 16 kHz; predict takes a sound file"
            )
        for start, length in chunk_views(len(samples), self.hop_samples, self.card["tail"]):
            yield self._score(samples[start : start + length], start)

    def stream(
        self,
        blocks: Iterable[np.ndarray],
        *,
        rate_hz: float = SAMPLE_RATE_HZ,
        channel: int | None = None,
        hop_s: float | None = None,
    ) -> Iterator[Span]:
        """Score each chunk as soon as it is complete; the same chunks as of the whole clip.

        Parameters
        ----------
        blocks
            Samples as they arrive, each (n,) or (n, channels); int16, int32, or float in [-1, 1).
            At most one chunk and one block are kept in memory.
        rate_hz, channel, hop_s
            As of chunks.

        Raises
        ------
        LeanError
            If samples or rate are none of these.
        """
        try:
            samples = convert_blocks(blocks, rate_hz, self.card["resampler"], channel)
            yield from self.score_blocks(samples, hop_s)
        except BadClipError as error:
            raise LeanError(f"samples: {error}") from None

    def score_blocks(
        self, blocks: Iterable[np.ndarray], hop_s: float | None = None
    ) -> Iterator[Span]:
        """Score each chunk as soon as it is complete. blocks: (n,) int16 at 16 kHz each."""
        hop = self.hop_samples if hop_s is None else samples_of_hop(hop_s)
        held, start, scored_to = np.empty(0, np.int16), 0, 0
        for block in blocks:
            held = np.concatenate([held, block])
            while len(held) >= CHUNK_SAMPLES:
                yield self._score(held[:CHUNK_SAMPLES], start)
                scored_to = start + CHUNK_SAMPLES
                held, start = held[hop:], start + hop
        tail_wanted = self.card["tail"] == "repeat" and start + len(held) > scored_to
        if len(held) and (tail_wanted or not scored_to):
            yield self._score(held, start)

    def _score(self, view: np.ndarray, start: int) -> Span:
        waveform = to_float(view)
        full = waveform if len(waveform) == CHUNK_SAMPLES else np.resize(waveform, CHUNK_SAMPLES)
        end_s = (start + len(view)) / SAMPLE_RATE_HZ
        return Span(start / SAMPLE_RATE_HZ, end_s, self._runtime(full), is_silent(waveform))


def samples_of_hop(hop_s: float) -> int:
    """Return a hop in samples. Raises LeanError unless it is above 0 and at most 1 s."""
    hop = round(hop_s * SAMPLE_RATE_HZ) if np.isfinite(hop_s) else 0
    if not 1 <= hop <= CHUNK_SAMPLES:
        raise LeanError(f"the hop is {hop_s:g} s; it must be above 0 and at most 1 s")
    return hop
