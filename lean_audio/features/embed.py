"""Compute the backbone's features of every chunk, once, and cache them in shards."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lean_audio.audio.decode import to_float
from lean_audio.backbones.base import EMBEDDER_FILE, FEATURES_FILE
from lean_audio.config.schema import Embed
from lean_audio.datasets.layout import SPLITS
from lean_audio.features.cache import LAYOUT_FILE, shard_path
from lean_audio.features.chunks import count_rows, read_views, read_waveforms
from lean_audio.files import read_json, resumable_folder, sha256, whole, write_json
from lean_audio.parallel.shards import LOCAL, content_key, map_shards
from lean_audio.tflite.runtime import Runtime


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


def embed(
    audio: Path,
    yamnet: Path,
    folder: Path,
    settings: Embed,
    workers: int,
    scheduler: str = LOCAL,
) -> None:
    """Write one file per settings.shard_chunks chunks of each split to `folder`.

    Every worker computes chunk by chunk on one core, so that the bytes do not depend on their
    number.
    Raises LeanError when the run is cut short; the next one goes on where it ended.
    """
    with resumable_folder(folder, _key(audio, yamnet, settings)) as temporary:
        jobs = _jobs(audio.absolute(), yamnet.absolute(), temporary, settings)
        for _ in map_shards(
            embed_shard, jobs, temporary, workers=workers, scheduler=scheduler, title="embed"
        ):
            pass
        widths = read_json(yamnet / FEATURES_FILE)
        write_json(
            temporary / LAYOUT_FILE, {"shard_chunks": settings.shard_chunks, "widths": widths}
        )


def _key(audio: Path, yamnet: Path, settings: Embed) -> str:
    """Shards of audio count by size and time of writing: hashing them would take too long."""
    shards = [
        (path.name, path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(audio.glob("*.s16"))
    ]
    tables = [(path.name, sha256(path)) for path in sorted(audio.glob("*.parquet"))]
    embedder = sha256(yamnet / EMBEDDER_FILE)
    return content_key(shards=shards, tables=tables, embedder=embedder, **settings.model_dump())


def _jobs(audio: Path, yamnet: Path, folder: Path, settings: Embed) -> list[EmbedJob]:
    return [
        EmbedJob(split, number, start, stop, audio, yamnet, folder)
        for split in SPLITS
        for number, (start, stop) in enumerate(
            _spans(count_rows(audio, split), settings.shard_chunks)
        )
    ]


def _spans(rows: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, rows)) for start in range(0, rows, size)]


def embed_shard(job: EmbedJob) -> None:
    """Compute and write one shard of embeddings, chunk by chunk."""
    views = read_views(job.audio, job.split, job.start, job.stop)
    embedder = open_embedder(job.yamnet, job.folder)
    path = shard_path(job.folder, job.split, job.number)
    with whole(path) as temporary, temporary.open("wb") as shard:
        for view in views:
            (samples,) = read_waveforms(job.audio, view[None])
            shard.write(embedder(to_float(samples)).astype("<f4").tobytes())


@lru_cache(maxsize=1)
def open_embedder(yamnet: Path, run: Path | None = None) -> Runtime:
    """(16000,) float32 to (features,) float32, on one core; the first 1024 are the embedding.

    run: tells runs apart, for a cluster's workers outlive one and the file may change.
    """
    return Runtime(yamnet / EMBEDDER_FILE, name=str(yamnet / EMBEDDER_FILE))
