"""YAMNet embeddings of every chunk, computed once and cached in shards."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from lean_audio.audio import to_float
from lean_audio.backbone import EMBEDDING_UNITS, WEIGHTS_FILE
from lean_audio.chunks import count_rows, read_views, read_waveforms
from lean_audio.cluster import LOCAL, content_key, map_shards
from lean_audio.datasets import SPLITS
from lean_audio.files import read_at, resumable_folder, sha256, whole
from lean_audio.sections import Embed

ROW_BYTES = EMBEDDING_UNITS * 4
Forward = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class EmbedJob:
    """Consecutive chunks of one split, [start, stop), that make up shard `number`."""

    split: str
    number: int
    start: int
    stop: int
    audio: Path
    yamnet: Path
    folder: Path
    settings: Embed


def shard_path(folder: Path, split: str, number: int) -> Path:
    return folder / f"{split}-{number:05d}.f32"


def embed(
    audio: Path,
    yamnet: Path,
    folder: Path,
    settings: Embed,
    workers: int,
    scheduler: str = LOCAL,
) -> None:
    """Write one file per settings.shard_chunks chunks of each split to `folder`.

    Every worker computes on one core in batches that do not depend on the number of workers,
    so that the bytes do not either. This machine's GPU is used by one worker alone.
    Raises LeanError when the run is cut short; the next one goes on where it ended.
    """
    if has_gpu():
        workers = 1
    with resumable_folder(folder, _key(audio, yamnet, settings)) as temporary:
        jobs = _jobs(audio.absolute(), yamnet.absolute(), temporary, settings)
        for _ in map_shards(
            embed_shard, jobs, temporary, workers=workers, scheduler=scheduler, title="embed"
        ):
            pass


def has_gpu() -> bool:
    """Whether TensorFlow sees one; where there is no NVIDIA driver it is not loaded to say no."""
    if not shutil.which("nvidia-smi"):
        return False
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _key(audio: Path, yamnet: Path, settings: Embed) -> str:
    """Shards of audio count by size and time of writing: hashing them would take too long."""
    shards = [
        (path.name, path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(audio.glob("*.s16"))
    ]
    tables = [(path.name, sha256(path)) for path in sorted(audio.glob("*.parquet"))]
    weights = sha256(yamnet / WEIGHTS_FILE)
    return content_key(shards=shards, tables=tables, weights=weights, **settings.model_dump())


def _jobs(audio: Path, yamnet: Path, folder: Path, settings: Embed) -> list[EmbedJob]:
    return [
        EmbedJob(split, number, start, stop, audio, yamnet, folder, settings)
        for split in SPLITS
        for number, (start, stop) in enumerate(
            _spans(count_rows(audio, split), settings.shard_chunks)
        )
    ]


def _spans(rows: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, rows)) for start in range(0, rows, size)]


def embed_shard(job: EmbedJob) -> None:
    """Compute and write one shard of embeddings, batch by batch."""
    views = read_views(job.audio, job.split, job.start, job.stop)
    forward = embedder(job.yamnet, job.settings.mean_normalization, job.folder)
    path = shard_path(job.folder, job.split, job.number)
    with whole(path) as temporary, temporary.open("wb") as shard:
        for start, stop in _spans(len(views), job.settings.batch_size):
            waveforms = read_waveforms(job.audio, views[start:stop])
            shard.write(forward(waveforms).astype("<f4").tobytes())


@lru_cache(maxsize=1)
def embedder(yamnet: Path, mean_normalization: bool, run: Path | None = None) -> Forward:
    """A compiled function: (batch, 16000) int16 samples to (batch, 1024) float32.

    run: tells runs apart, for a cluster's workers outlive one and the files may change.
    """
    import tensorflow as tf

    from lean_audio.logmel import PATCH_SAMPLES, LogMel
    from lean_audio.yamnet import fold_norms, load_yamnet

    backbone = fold_norms(load_yamnet(yamnet))
    log_mel = LogMel(mean_normalization)

    @tf.function(
        input_signature=[tf.TensorSpec((None, PATCH_SAMPLES), tf.float32)], autograph=False
    )
    def forward(waveform):
        return backbone(log_mel(waveform), training=False)

    return lambda samples: forward(to_float(samples[:, :PATCH_SAMPLES])).numpy()


@dataclass(frozen=True)
class Embeddings:
    """Cached embeddings of one split, row by row with its chunk table."""

    folder: Path
    split: str
    shard_chunks: int

    def rows(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """(rows, 1024) float32, read from disk by position."""
        embeddings = np.empty((len(rows), EMBEDDING_UNITS), "<f4")
        for embedding, row in zip(embeddings, rows, strict=True):
            number, position = divmod(int(row), self.shard_chunks)
            read_at(shard_path(self.folder, self.split, number), position * ROW_BYTES, embedding)
        return embeddings
