"""Decode every clip once and store it; set the bad ones aside."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lean_audio.audio.decode import BadClipError, Quality, read_clip
from lean_audio.config.schema import Prepare
from lean_audio.datasets.layout import SPLITS, Dataset, Root, check_splits
from lean_audio.errors import BadInputError
from lean_audio.features.chunks import index_chunks, save_tables, shard_path
from lean_audio.files import resumable_folder, whole, write_csv
from lean_audio.parallel.shards import LOCAL, content_key, map_shards


@dataclass(frozen=True)
class ShardJob:
    """The files of one shard, in order; `number` names the shard's file in `folder`."""

    number: int
    root: Root
    files: tuple[str, ...]
    folder: Path
    resampler: Quality


def prepare(
    dataset: Dataset,
    root: Root,
    folder: Path,
    set_aside: Path,
    settings: Prepare,
    workers: int,
    scheduler: str = LOCAL,
) -> None:
    """Write the shards, the clip table and the chunk tables of every split to `folder`.

    Writes the clips that cannot be used to the CSV `set_aside`: clip, split, file, reason.
    Raises BadInputError when they are more than settings.max_set_aside of all, or when a split has
    no good clip; `folder` is then as it was. LeanError: the next run goes on where it ended.
    """
    with resumable_folder(folder, _key(dataset, settings)) as temporary:
        jobs = list(_jobs(dataset, root.absolute(), temporary, settings))
        shards = map_shards(
            store_shard, jobs, temporary, workers=workers, scheduler=scheduler, title="prepare"
        )
        stored = pd.concat(map(pd.DataFrame, shards), ignore_index=True)
        clips = pd.concat([dataset.clips, stored], axis=1)
        bad = clips["reason"] != ""
        write_csv(set_aside, clips.loc[bad, ["clip", "split", "file", "reason"]])
        _check_share(clips[bad], len(clips), settings.max_set_aside, set_aside)
        good = clips.loc[~bad, ["clip", "split", "labels", "shard", "offset", "samples"]]
        check_splits(good["split"], "clips that can be read")
        save_tables(temporary, good, _indices(good, settings))


def store_shard(job: ShardJob) -> list[dict[str, int | str]]:
    """Write one shard; per file its shard, offset and samples, or the reason it is not there."""
    rows: list[dict[str, int | str]] = []
    offset = 0
    with whole(shard_path(job.folder, job.number)) as temporary, temporary.open("wb") as shard:
        for file in job.files:
            row: dict[str, int | str] = {"shard": job.number, "offset": offset, "reason": ""}
            try:
                samples = read_clip(job.root / file, job.resampler)
                shard.write(samples.tobytes())
                row["samples"] = len(samples)
                offset += len(samples)
            except BadClipError as error:
                row |= {"samples": 0, "reason": str(error)}
            rows.append(row)
    return rows


def _key(dataset: Dataset, settings: Prepare) -> str:
    """Of the shards alone: hops, tail and the share of bad clips come after them."""
    clips = hashlib.sha256()
    for file, checksum in zip(dataset.clips["file"], dataset.clips["checksum"], strict=True):
        clips.update(f"{file}\0{checksum}\n".encode())
    how = settings.model_dump(include={"resampler", "shard_clips"})
    return content_key(clips=clips.hexdigest(), **how)


def _jobs(dataset: Dataset, root: Root, folder: Path, settings: Prepare) -> Iterator[ShardJob]:
    files = dataset.clips["file"].tolist()
    for number, start in enumerate(range(0, len(files), settings.shard_clips)):
        part = tuple(files[start : start + settings.shard_clips])
        yield ShardJob(number, root, part, folder, settings.resampler)


def _check_share(bad: pd.DataFrame, clips: int, max_share: float, listed_in: Path) -> None:
    if len(bad) > max_share * clips:
        first = bad.iloc[0]
        raise BadInputError(
            f"{len(bad)} of {clips} clips cannot be used, more than the share "
            f"prepare.max_set_aside allows ({max_share}); {listed_in} lists them, the first: "
            f"{first['file']} ({first['reason']})"
        )


def _indices(clips: pd.DataFrame, settings: Prepare) -> dict[str, pd.DataFrame]:
    hops_s = settings.hop_s.model_dump()
    return {
        split: index_chunks(clips[clips["split"] == split], hops_s[split], settings.tail)
        for split in SPLITS
    }
