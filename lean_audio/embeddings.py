"""The backbone's features of every chunk, computed once and cached in shards.

A row is one chunk: its embedding and, after it, the pooled activations of embed.layers. What
lies where in a row is said by layout.json beside the shards, so readers need no parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np

from lean_audio.audio import to_float
from lean_audio.backbone import EMBEDDER_FILE, EMBEDDING, FEATURES_FILE
from lean_audio.chunks import count_rows, read_views, read_waveforms
from lean_audio.cluster import LOCAL, content_key, map_shards
from lean_audio.datasets import SPLITS
from lean_audio.errors import LeanError
from lean_audio.files import read_at, read_json, resumable_folder, sha256, whole, write_json
from lean_audio.runtime import Runtime
from lean_audio.sections import Embed

LAYOUT_FILE = "layout.json"


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


@dataclass(frozen=True)
class Embeddings:
    """Cached features of one split, row by row with its chunk table."""

    folder: Path
    split: str

    @cached_property
    def _layout(self) -> tuple[int, dict[str, tuple[int, int]], int]:
        """Chunks in a shard; feature -> its first byte in a row and its width; bytes of a row."""
        layout = read_json(self.folder / LAYOUT_FILE)
        widths = layout["widths"]
        ends = [4 * end for end in accumulate(widths.values(), initial=0)]
        places = dict(zip(widths, zip(ends, widths.values(), strict=False), strict=True))
        return layout["shard_chunks"], places, ends[-1]

    def rows(self, rows: Sequence[int] | np.ndarray, feature: str = EMBEDDING) -> np.ndarray:
        """(rows, width of the feature) float32, read from disk by position.

        Raises LeanError for a feature that is not cached.
        """
        shard_chunks, places, row_bytes = self._layout
        if feature not in places:
            raise LeanError(f"{self.folder} holds no {feature!r}, only {', '.join(places)}")
        start, width = places[feature]
        values = np.empty((len(rows), width), "<f4")
        for value, row in zip(values, rows, strict=True):
            number, position = divmod(int(row), shard_chunks)
            path = shard_path(self.folder, self.split, number)
            read_at(path, position * row_bytes + start, value)
        return values
