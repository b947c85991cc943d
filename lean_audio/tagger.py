"""Tag sounds with one shipped .tflite: complete clips, or a stream as it arrives.

Needs only the file: labels, thresholds and chunking settings are inside it. `spans` scores an
array, `file_spans` a file and `stream` blocks of samples; `summarize` makes a clip's scores of any.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from lean_audio.audio.channels import is_silent
from lean_audio.audio.chunking import CHUNK_SAMPLES, chunk_views
from lean_audio.audio.decode import SAMPLE_RATE_HZ, read_blocks, to_float
from lean_audio.audio.faults import Note, check_regular
from lean_audio.errors import LeanError
from lean_audio.tflite.card import read_card
from lean_audio.tflite.runtime import Runtime

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

    def predict(
        self, path: Path | str, *, channel: int | None = None, aggregate: Aggregate = "mean"
    ) -> dict[str, float]:
        """Score a sound file of any length, format, rate and number of channels.

        Parameters
        ----------
        path
            The file.
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
        """
        clip = summarize(self.file_spans(path, channel=channel), aggregate)
        scores = (clip.scores * (not clip.silent)).tolist()
        ranked = sorted(zip(self.labels, scores, strict=True), key=lambda pair: -pair[1])
        return dict(ranked)

    def file_spans(
        self, path: Path | str, *, channel: int | None = None, note: Note | None = None
    ) -> Iterator[Span]:
        """Score each chunk of a sound file, in memory that does not grow with its length.

        channel: number of the only one to score, from 1; None for the mean of all. note: receives
        remarks on the sound; with it, a sound that is cut or damaged is scored up to there.
        Raises as predict.
        """
        return self.stream(self.file_blocks(path, channel=channel, note=note))

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

    def stream(self, blocks: Iterable[np.ndarray]) -> Iterator[Span]:
        """Score each chunk as soon as it is complete; the same chunks as `spans` on all samples.

        blocks: (n,) int16 at 16 kHz each. At most one chunk and one block are kept in memory.
        """
        held, start, scored_to = np.empty(0, np.int16), 0, 0
        for block in blocks:
            held = np.concatenate([held, block])
            while len(held) >= CHUNK_SAMPLES:
                yield self._score(held[:CHUNK_SAMPLES], start)
                scored_to = start + CHUNK_SAMPLES
                held, start = held[self.hop_samples :], start + self.hop_samples
        tail_wanted = self.card["tail"] == "repeat" and start + len(held) > scored_to
        if len(held) and (tail_wanted or not scored_to):
            yield self._score(held, start)

    def _score(self, view: np.ndarray, start: int) -> Span:
        waveform = to_float(view)
        scores = self._runtime(np.resize(waveform, CHUNK_SAMPLES))
        end_s = (start + len(view)) / SAMPLE_RATE_HZ
        return Span(start / SAMPLE_RATE_HZ, end_s, scores, is_silent(waveform))


class Summary:
    """The scores of one clip, from those of its chunks as they come.

    aggregate: "mean" (paper, IV), as the thresholds and metrics take it, or "max".
    """

    def __init__(self, aggregate: Aggregate = "mean"):
        self.aggregate = aggregate
        self.chunks = 0
        self._scores: np.ndarray | None = None
        self._end_s, self._silent = 0.0, True

    def add(self, span: Span) -> None:
        """Count one chunk in."""
        scores = span.scores.astype(np.float64)
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
