"""Tag sounds with one shipped .tflite: complete clips, or a stream as it arrives.

Needs only the file: labels, thresholds and chunking settings are inside it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lean_audio.audio.chunking import CHUNK_SAMPLES, chunk_views
from lean_audio.audio.decode import SAMPLE_RATE_HZ, read_clip, to_float
from lean_audio.errors import LeanError
from lean_audio.tflite.card import read_card
from lean_audio.tflite.runtime import Runtime


@dataclass(frozen=True)
class Span:
    """One chunk's scores. start_s, end_s: in the clip; scores: (classes,) float32."""

    start_s: float
    end_s: float
    scores: np.ndarray


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
        If the file does not exist, has no labels and card, or does not run here.
    """

    def __init__(self, path: Path | str, threads: int = 1):
        self.path = Path(path)
        self.labels, self.card = read_card(self.path)
        self._runtime = Runtime(self.path, threads, name=str(path))

    @cached_property
    def thresholds(self) -> np.ndarray:
        """Score from which a label is assigned, (classes,) float32."""
        return np.array(self.card["thresholds"], np.float32)

    @property
    def hop_samples(self) -> int:
        return round(self.card["hop_s"] * SAMPLE_RATE_HZ)

    def predict(self, path: Path | str) -> dict[str, float]:
        """Score a sound file of any format, rate and number of channels.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        dict
            Label -> score of the clip, the mean of its chunks' scores; the highest first.

        Raises
        ------
        BadClipError
            If the file is damaged or empty.
        LeanError
            If it does not exist.
        """
        samples = read_clip(Path(path), self.card["resampler"])
        scores = clip_scores(list(self.spans(samples))).tolist()
        ranked = sorted(zip(self.labels, scores, strict=True), key=lambda pair: -pair[1])
        return dict(ranked)

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
        scores = self._runtime(to_float(np.resize(view, CHUNK_SAMPLES)))
        return Span(start / SAMPLE_RATE_HZ, (start + len(view)) / SAMPLE_RATE_HZ, scores)


def clip_scores(spans: list[Span]) -> np.ndarray:
    """Average the scores of a clip's chunks (paper, IV): (classes,) float32."""
    scores = np.array([span.scores for span in spans])
    return scores.mean(axis=0, dtype=np.float64).astype(np.float32)
