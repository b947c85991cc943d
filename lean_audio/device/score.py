"""Score clips with .tflite files on all cores, as the mean of their chunks' scores."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np

from lean_audio.audio.decode import to_float
from lean_audio.device.recipes import Mix, quantize
from lean_audio.features.chunks import Chunks, open_chunks
from lean_audio.parallel.pool import map_in_pool
from lean_audio.tflite.runtime import Runtime, open_tagger, takes_patches

Tag = Callable[[np.ndarray], np.ndarray]
CLIPS_PER_JOB = 50
SEED = 1  # of the clips that are drawn
PARTS_FOLDER = "parts"  # of the network, for timing: front_end.tflite, and backbone.tflite with it


@dataclass(frozen=True)
class Clips:
    """Some clips of one split. audio: the split's directory; rows: of its clip table."""

    audio: Path
    rows: tuple[int, ...]

    def open(self) -> Chunks:
        return open_chunks(self.audio)

    def targets(self) -> np.ndarray:
        """(clips, classes) uint8."""
        return self.open().clip_targets[list(self.rows)]


@dataclass(frozen=True)
class Job:
    """Score `clips` with the model, quantized first if the mix is not empty."""

    model: Path
    mix: Mix
    clips: Clips


@dataclass(frozen=True)
class Scored:
    """scores: (clips, classes) float32; size_bytes: of the quantized model."""

    scores: np.ndarray
    size_bytes: int


def all_clips(audio: Path) -> Clips:
    """Return all clips of a split."""
    return Clips(audio, tuple(range(len(open_chunks(audio).clips))))


def some_clips(clips: Clips, count: int) -> Clips:
    """Draw at most `count` of the clips; they keep their order."""
    drawn = np.random.default_rng(SEED).permutation(len(clips.rows))[:count]
    return replace(clips, rows=tuple(clips.rows[row] for row in sorted(drawn)))


def score_mixes(
    pool: ProcessPoolExecutor, model: Path, mixes: Sequence[Mix], clips: Clips, title: str
) -> list[Scored]:
    """Score the clips with each mix of the float32 model.

    Every job quantizes the model again, so with several mixes a job takes all clips.
    """
    portions = _portions(clips) if len(mixes) == 1 else [clips]
    return _score(pool, [[Job(model, mix, part) for part in portions] for mix in mixes], title)


def score_files(
    pool: ProcessPoolExecutor, models: Sequence[Path], clips: Clips
) -> list[np.ndarray]:
    """Score the clips with each file: (clips, classes) float32."""
    jobs = [[Job(model, {}, part) for part in _portions(clips)] for model in models]
    return [scored.scores for scored in _score(pool, jobs, "score clips")]


def _score(pool: ProcessPoolExecutor, jobs: Sequence[Sequence[Job]], title: str) -> list[Scored]:
    """Do the jobs of each model side by side, and join the portions of its clips."""
    done = map_in_pool(pool, score, list(chain.from_iterable(jobs)), title=title)
    by_model = [list(islice(done, len(portions))) for portions in jobs]
    return [
        Scored(np.concatenate([part.scores for part in parts]), parts[0].size_bytes)
        for parts in by_model
    ]


def _portions(clips: Clips) -> list[Clips]:
    """Split the clips into what one worker scores at a time."""
    return [
        replace(clips, rows=clips.rows[start : start + CLIPS_PER_JOB])
        for start in range(0, len(clips.rows), CLIPS_PER_JOB)
    ]


def score(job: Job) -> Scored:
    """Quantize the model and score the clips of a job."""
    content, chunks = quantize(job.model.read_bytes(), job.mix), job.clips.open()
    tag = Runtime(content, name=str(job.model)) if job.mix else open_file(job.model)
    scores = np.stack([_score_clip(tag, chunks, clip) for clip in job.clips.rows])
    return Scored(scores, len(content))


def open_file(model: Path, threads: int = 1) -> Tag:
    """Return a function from a waveform to scores, (width,) float32.

    A file that takes patches gets them from the front end beside it.
    """
    if not takes_patches(model):
        return Runtime(model, threads, name=str(model))
    front_end = Runtime(model.parent / PARTS_FOLDER / "front_end.tflite", threads)
    return open_tagger(model, threads, front_end)


def _score_clip(tag: Tag, chunks: Chunks, clip: int) -> np.ndarray:
    first, last = np.searchsorted(chunks.clip_of_chunk, [clip, clip + 1])
    waveforms = to_float(chunks.waveforms(np.arange(first, last)))
    return mean_scores(tag, waveforms)


def mean_scores(tag: Tag, waveforms: np.ndarray) -> np.ndarray:
    """Return the scores of a clip, (classes,) float32; waveforms: of its chunks."""
    scores = np.array([tag(waveform) for waveform in waveforms])
    return scores.mean(axis=0, dtype=np.float64).astype(np.float32)
