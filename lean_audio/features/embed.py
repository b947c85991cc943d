"""Stage embed: compute the backbone's features of every chunk once and cache them in shards."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lean_audio.audio.decode import to_float
from lean_audio.backbones.base import EMBEDDER_FILE, FEATURES_FILE
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.datasets.layout import SPLITS
from lean_audio.features.cache import LAYOUT_FILE, features_shard
from lean_audio.features.chunks import DATA_FILE, count_rows, read_views, read_waveforms
from lean_audio.features.fingerprint import features_sha256
from lean_audio.features.known import hash_array, open_known, save_known
from lean_audio.files import atomic_file, read_json, resumable_folder, sha256, write_json
from lean_audio.parallel.shards import LOCAL, content_key, map_shards
from lean_audio.tflite.runtime import Runtime

SHARD_CHUNKS = 2048  # chunks in one file of features


@dataclass(frozen=True)
class EmbedJob:
    """Consecutive chunks of one split, [start, stop), that make up shard `number`.

    audio, folder: the split's directories of samples and of features; before: the directory of the
    run before and the key that its features must have.
    """

    number: int
    start: int
    stop: int
    audio: Path
    embedder: Path
    folder: Path
    before: tuple[Path, str]


def embed(
    audio: Path, embedder: Path, folder: Path, workers: int, scheduler: str = LOCAL
) -> tuple[int, int]:
    """Write the features of each split to a directory below `folder`.

    Features of chunks that the run before had are taken from there. Every worker computes chunk
    by chunk on one core, so the bytes do not depend on their number. Returns the number of chunks,
    and of those that were there before. Raises LeanError when the work is interrupted; the next
    run resumes it.
    """
    embedder_key = content_key(embedder=sha256(embedder / EMBEDDER_FILE))
    hashes: dict[str, list[tuple[int, int]]] = {split: [] for split in SPLITS}
    reused = 0
    with resumable_folder(folder, _key(audio, embedder)) as temporary:
        before = (folder.absolute(), embedder_key)
        jobs = _jobs(audio.absolute(), embedder.absolute(), temporary, before)
        shards = map_shards(
            embed_shard,
            list(jobs.values()),
            temporary,
            workers=workers,
            scheduler=scheduler,
            title="embed",
        )
        for (split, _), shard in zip(jobs, shards, strict=True):
            hashes[split] += shard["hashes"]
            reused += shard["reused"]
        about = read_json(embedder / FEATURES_FILE)
        for split in SPLITS:
            place = SPLIT_FOLDERS[split]
            write_json(temporary / place / LAYOUT_FILE, _layout(audio / place, about))
    save_known(folder, embedder_key, hashes)
    return sum(map(len, hashes.values())), reused


def _layout(audio: Path, about: dict[str, Any]) -> dict[str, Any]:
    data = read_json(audio / DATA_FILE)["data_sha256"]
    seen = features_sha256(data, about["weights_sha256"], about["mean_normalization"])
    return {"shard_chunks": SHARD_CHUNKS, "widths": about["widths"], "data_sha256": seen}


def _key(audio: Path, embedder: Path) -> str:
    """Return a key of the features; shards of audio count by size and time, not by content."""
    shards = [
        (str(path.relative_to(audio)), path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(audio.rglob("*.s16"))
    ]
    tables = [
        (str(path.relative_to(audio)), sha256(path)) for path in sorted(audio.rglob("*.parquet"))
    ]
    return content_key(shards=shards, tables=tables, embedder=sha256(embedder / EMBEDDER_FILE))


def _jobs(
    audio: Path, embedder: Path, folder: Path, before: tuple[Path, str]
) -> dict[tuple[str, int], EmbedJob]:
    """Return the jobs by split and number."""
    jobs = {}
    for split in SPLITS:
        samples, features = audio / SPLIT_FOLDERS[split], folder / SPLIT_FOLDERS[split]
        features.mkdir(parents=True, exist_ok=True)
        rows = count_rows(samples)
        for number, start in enumerate(range(0, rows, SHARD_CHUNKS)):
            stop = min(start + SHARD_CHUNKS, rows)
            jobs[split, number] = EmbedJob(number, start, stop, samples, embedder, features, before)
    return jobs


def embed_shard(job: EmbedJob) -> dict[str, Any]:
    """Write one shard of features, chunk by chunk; return their hashes and how many were known."""
    views = read_views(job.audio, job.start, job.stop)
    embedder = open_embedder(job.embedder, job.folder)
    known = open_known(*job.before, job.folder)
    path = features_shard(job.folder, job.number)
    hashes, reused = [], 0
    with atomic_file(path) as temporary, temporary.open("wb") as shard:
        for view in views:
            (samples,) = read_waveforms(job.audio, view[None])
            key = hash_array(samples)
            features = known.find(key) if known else None
            reused += features is not None
            if features is None:
                features = embedder(to_float(samples)).astype("<f4")
            hashes.append((key, hash_array(features)))
            shard.write(features.tobytes())
    return {"hashes": hashes, "reused": reused}


@lru_cache(maxsize=1)
def open_embedder(folder: Path, run: Path | None = None) -> Runtime:
    """Open the embedder: (16000,) float32 to (features,) float32 on one core, embedding first.

    run: distinguishes runs, because a cluster's workers outlive one and the file may change.
    """
    return Runtime(folder / EMBEDDER_FILE, name=str(folder / EMBEDDER_FILE))
