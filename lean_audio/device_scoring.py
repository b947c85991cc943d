"""Score clips with .tflite files, on all cores, as the mean of their chunks' scores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lean_audio.audio import to_float
from lean_audio.chunks import Chunks, open_chunks
from lean_audio.recipes import Mix, quantize
from lean_audio.runtime import Runtime
from lean_audio.workers import map_shards


@dataclass(frozen=True)
class Clips:
    """Some clips of one split: rows of its clip table."""

    audio: Path
    split: str
    vocabulary: tuple[str, ...]
    rows: tuple[int, ...]

    def open(self) -> Chunks:
        return open_chunks(self.audio, self.split, self.vocabulary)

    def targets(self) -> np.ndarray:
        """(clips, classes) uint8."""
        return self.open().clip_targets[list(self.rows)]


@dataclass(frozen=True)
class Job:
    """Score `clips` with the model, quantized first if there is a mix."""

    model: Path
    mix: Mix
    clips: Clips


def all_clips(audio: Path, split: str, vocabulary: tuple[str, ...]) -> Clips:
    clips = Clips(audio, split, vocabulary, ())
    return replace(clips, rows=tuple(range(len(clips.open().clips))))


def some_clips(clips: Clips, count: int, seed: int) -> Clips:
    """At most `count` of them, in order, drawn with a seed."""
    drawn = np.random.default_rng(seed).permutation(len(clips.rows))[:count]
    return replace(clips, rows=tuple(clips.rows[row] for row in sorted(drawn)))


def score_mixes(
    model: Path, mixes: Sequence[Mix], clips: Clips, workers: int, title: str
) -> list[np.ndarray]:
    """(clips, classes) float32 for each mix of the float32 model; a mix a worker at a time."""
    jobs = [Job(model, mix, clips) for mix in mixes]
    return list(map_shards(score, jobs, workers=workers, title=title))


def score_file(model: Path, clips: Clips, workers: int, share: int = 64) -> np.ndarray:
    """(clips, classes) float32 of one file; `share` clips a worker at a time."""
    jobs = [
        Job(model, {}, replace(clips, rows=clips.rows[start : start + share]))
        for start in range(0, len(clips.rows), share)
    ]
    return np.concatenate(list(map_shards(score, jobs, workers=workers, title=model.stem)))


def score(job: Job) -> np.ndarray:
    runtime = Runtime(quantize(job.model.read_bytes(), job.mix), name=str(job.model))
    chunks = job.clips.open()
    return np.stack([_score_clip(runtime, chunks, clip) for clip in job.clips.rows])


def _score_clip(runtime: Runtime, chunks: Chunks, clip: int) -> np.ndarray:
    first, last = np.searchsorted(chunks.clip_of_chunk, [clip, clip + 1])
    waveforms = to_float(chunks.waveforms(np.arange(first, last)))
    scores = np.array([runtime(waveform) for waveform in waveforms])
    return scores.mean(axis=0, dtype=np.float64).astype(np.float32)
