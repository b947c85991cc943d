"""Tag sounds with one shipped .tflite: whole clips, or a stream as it comes.

Needs the file alone: labels, thresholds and the way chunks are cut are inside it.
"""

import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lean_audio.audio.chunking import CHUNK_SAMPLES, chunk_views
from lean_audio.audio.decode import SAMPLE_RATE_HZ, to_float
from lean_audio.errors import LeanError
from lean_audio.tflite.runtime import Runtime

CARD_KEYS = {"thresholds", "hop_s", "tail", "resampler"}  # what the command line cannot do without


@dataclass(frozen=True)
class Span:
    """One chunk's scores. start_s, end_s: in the clip; scores: (classes,) float32."""

    start_s: float
    end_s: float
    scores: np.ndarray


class Tagger:
    """A model file, opened. labels: of its scores; card: the content of its lean.json."""

    def __init__(self, path: Path, threads: int = 1):
        self.path = path
        self.labels, self.card = read_card(path)
        self._runtime = Runtime(path, threads, name=str(path))

    @cached_property
    def thresholds(self) -> np.ndarray:
        """(classes,) float32: the score from which a label is called."""
        return np.array(self.card["thresholds"], np.float32)

    @property
    def hop_samples(self) -> int:
        return round(self.card["hop_s"] * SAMPLE_RATE_HZ)

    def spans(self, samples: np.ndarray) -> Iterator[Span]:
        """Score each chunk of a clip. samples: (n,) int16 at 16 kHz."""
        for start, length in chunk_views(len(samples), self.hop_samples, self.card["tail"]):
            yield self._score(samples[start : start + length], start)

    def stream(self, blocks: Iterable[np.ndarray]) -> Iterator[Span]:
        """Score each chunk as soon as it is whole; the same chunks as `spans` on all samples.

        blocks: (n,) int16 at 16 kHz each. At most one chunk is kept in memory.
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
    """(classes,) float32: the mean over the chunks (paper, IV)."""
    scores = np.array([span.scores for span in spans])
    return scores.mean(axis=0, dtype=np.float64).astype(np.float32)


def read_card(path: Path) -> tuple[list[str], dict[str, Any]]:
    """The labels and the card inside a model file; LeanError if there are none."""
    try:
        with zipfile.ZipFile(path) as archive:
            labels = archive.read("labels.txt").decode().removesuffix("\n").split("\n")
            card = json.loads(archive.read("lean.json"))
        if len(card["thresholds"]) != len(labels) or not set(card) >= CARD_KEYS:
            raise KeyError
    except FileNotFoundError:
        raise LeanError(f"{path}: no such model file") from None
    except OSError as error:
        raise LeanError(f"{path}: not readable as a model ({error.strerror})") from None
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, RuntimeError):
        raise LeanError(
            f"{path} has no LEAN metadata (labels.txt and lean.json inside); "
            "allowed are the .tflite files that `dvc repro` leaves in models/"
        ) from None
    return labels, card
