"""Decode every clip once and store it; set the bad ones aside."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lean_audio.audio import BadClipError, Quality, read_clip
from lean_audio.chunks import index_chunks, save_tables, shard_path
from lean_audio.datasets import SPLITS, Dataset, check_splits
from lean_audio.errors import LeanError
from lean_audio.files import whole
from lean_audio.params import Prepare
from lean_audio.workers import map_shards


@dataclass(frozen=True)
class ShardJob:
    """The files of one shard, in order; `number` names the shard's file in `folder`."""

    number: int
    files: tuple[Path, ...]
    folder: Path
    resampler: Quality


def prepare(
    dataset: Dataset, root: Path, folder: Path, settings: Prepare, workers: int
) -> pd.DataFrame:
    """Write the shards, the clip table and the chunk tables of every split to `folder`.

    Returns the clips set aside: clip, split, file, reason.
    Raises LeanError when more than settings.max_set_aside of the clips are bad, or when a
    split has no good clip.
    """
    jobs = list(_jobs(dataset, root, folder, settings))
    stored = [
        row
        for rows in map_shards(store_shard, jobs, workers=workers, title="prepare")
        for row in rows
    ]
    clips = pd.concat([dataset.clips, pd.DataFrame(stored)], axis=1)
    bad = clips["reason"] != ""
    set_aside = clips.loc[bad, ["clip", "split", "file", "reason"]]
    _check_share(set_aside, len(clips), settings.max_set_aside)
    good = clips.loc[~bad, ["clip", "split", "labels", "shard", "offset", "samples"]]
    check_splits(good["split"], "clips that can be read")
    save_tables(folder, good, _indices(good, settings))
    return set_aside


def store_shard(job: ShardJob) -> list[dict[str, int | str]]:
    """Write one shard; per file its shard, offset and samples, or the reason it is not there."""
    rows: list[dict[str, int | str]] = []
    offset = 0
    with whole(shard_path(job.folder, job.number)) as temporary, temporary.open("wb") as shard:
        for file in job.files:
            row: dict[str, int | str] = {"shard": job.number, "offset": offset, "reason": ""}
            try:
                samples = read_clip(file, job.resampler)
                shard.write(samples.tobytes())
                row["samples"] = len(samples)
                offset += len(samples)
            except BadClipError as error:
                row |= {"samples": 0, "reason": str(error)}
            rows.append(row)
    return rows


def _jobs(dataset: Dataset, root: Path, folder: Path, settings: Prepare) -> Iterator[ShardJob]:
    files = [root / file for file in dataset.clips["file"]]
    for number, start in enumerate(range(0, len(files), settings.shard_clips)):
        part = tuple(files[start : start + settings.shard_clips])
        yield ShardJob(number, part, folder, settings.resampler)


def _check_share(set_aside: pd.DataFrame, clips: int, max_share: float) -> None:
    if len(set_aside) > max_share * clips:
        first = set_aside.iloc[0]
        raise LeanError(
            f"{len(set_aside)} of {clips} clips cannot be used, more than the share "
            f"prepare.max_set_aside allows ({max_share}); the first: "
            f"{first['file']} ({first['reason']})"
        )


def _indices(clips: pd.DataFrame, settings: Prepare) -> dict[str, pd.DataFrame]:
    hops_s = settings.hop_s.model_dump()
    return {
        split: index_chunks(clips[clips["split"] == split], hops_s[split], settings.tail)
        for split in SPLITS
    }
