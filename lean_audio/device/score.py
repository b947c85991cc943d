"""Score clips with .tflite files, on all cores, as the mean of their chunks' scores."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lean_audio.audio.decode import to_float
from lean_audio.device.recipes import Mix, quantize
from lean_audio.features.chunks import Chunks, open_chunks
from lean_audio.parallel.pool import map_in_pool
from lean_audio.tflite.runtime import Runtime

SHARE_CLIPS = 64
PARTS_FOLDER = "parts"  # of the network, to be timed: front_end.tflite, and backbone.tflite on top


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


@dataclass(frozen=True)
class Scored:
    """scores: (clips, classes) float32; size_bytes: of the quantized model."""

    scores: np.ndarray
    size_bytes: int


def all_clips(audio: Path, split: str, vocabulary: tuple[str, ...]) -> Clips:
    clips = Clips(audio, split, vocabulary, ())
    return replace(clips, rows=tuple(range(len(clips.open().clips))))


def some_clips(clips: Clips, count: int, seed: int) -> Clips:
    """At most `count` of them, in order, drawn with a seed."""
    drawn = np.random.default_rng(seed).permutation(len(clips.rows))[:count]
    return replace(clips, rows=tuple(clips.rows[row] for row in sorted(drawn)))


def score_mixes(
    pool: ProcessPoolExecutor, model: Path, mixes: Sequence[Mix], clips: Clips, title: str
) -> list[Scored]:
    """Of each mix of the float32 model.

    Each share of the clips quantizes the model anew, so many mixes take all clips as one.
    """
    shares = _shares(clips) if len(mixes) == 1 else [clips]
    jobs = [Job(model, mix, share) for mix in mixes for share in shares]
    done = list(map_in_pool(pool, score, jobs, title=title))
    parts = [done[start : start + len(shares)] for start in range(0, len(done), len(shares))]
    return [
        Scored(np.concatenate([share.scores for share in part]), part[0].size_bytes)
        for part in parts
    ]


def score_file(pool: ProcessPoolExecutor, model: Path, clips: Clips) -> np.ndarray:
    """(clips, classes) float32 of one file."""
    (scored,) = score_mixes(pool, model, [{}], clips, model.stem)
    return scored.scores


def _shares(clips: Clips) -> list[Clips]:
    """As much as one worker takes at a time."""
    return [
        replace(clips, rows=clips.rows[start : start + SHARE_CLIPS])
        for start in range(0, len(clips.rows), SHARE_CLIPS)
    ]


def score(job: Job) -> Scored:
    content = quantize(job.model.read_bytes(), job.mix)
    runtime, chunks = Runtime(content, name=str(job.model)), job.clips.open()
    scores = np.stack([_score_clip(runtime, chunks, clip) for clip in job.clips.rows])
    return Scored(scores, len(content))


def _score_clip(runtime: Runtime, chunks: Chunks, clip: int) -> np.ndarray:
    first, last = np.searchsorted(chunks.clip_of_chunk, [clip, clip + 1])
    waveforms = to_float(chunks.waveforms(np.arange(first, last)))
    scores = np.array([runtime(waveform) for waveform in waveforms])
    return scores.mean(axis=0, dtype=np.float64).astype(np.float32)
