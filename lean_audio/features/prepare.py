"""Stage prepare: decode every clip once, index its chunks, set unusable clips aside."""

import hashlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lean_audio.audio.decode import Quality, read_clip
from lean_audio.audio.faults import BadClipError, DiskError
from lean_audio.audio.parts import Recordings
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.config.schema import Prepare
from lean_audio.datasets.layout import SPLITS, Dataset, Root, check_splits
from lean_audio.errors import BadInputError, LeanError
from lean_audio.features.chunks import DATA_FILE, index_chunks, save_tables, shard_path
from lean_audio.features.fingerprint import data_sha256
from lean_audio.files import atomic_file, resumable_folder, write_csv, write_json
from lean_audio.parallel.shards import LOCAL, content_key, map_shards

SHARD_CLIPS = 128  # clips in one file of samples
CLIP_COLUMNS = ["clip", "labels", "shard", "offset", "samples"]


@dataclass(frozen=True)
class ShardJob:
    """The clips of one shard, in order; `number` names the shard's file in the split's folder.

    clips: file, start_s and end_s of each; the times are empty for a whole file.
    """

    number: int
    root: Root
    clips: tuple[tuple[str, str, str], ...]
    folder: Path
    resampler: Quality
    max_clip_s: float


def prepare(
    dataset: Dataset,
    root: Root,
    folder: Path,
    set_aside: Path,
    class_counts: Path,
    settings: Prepare,
    workers: int,
    scheduler: str = LOCAL,
) -> tuple[int, int]:
    """Write each split's shards, clip table and chunk table to a directory below `folder`.

    Lists the unusable clips in the CSV `set_aside`: clip, split, file, reason. Counts the usable
    ones in the CSV `class_counts`: label, train, val, eval. Returns how many clips are usable and
    how many are not.

    Raises
    ------
    BadInputError
        If more than settings.max_set_aside of the clips of a split are unusable, or a split has no
        usable clip with a label; `folder` is then unchanged.
    LeanError
        If the work is interrupted; the next run resumes it.
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
        _check_fraction(clips, bad, settings.max_set_aside, set_aside)
        good = clips[~bad]
        check_splits(good, "clips that can be read")
        write_csv(class_counts, count_classes(good, dataset.vocabulary))
        for split in SPLITS:
            clips = good[good["split"] == split].reset_index(drop=True)
            chunks = index_chunks(clips, getattr(settings.hop_s, split), settings.tail)
            vocabulary = dataset.vocabulary
            save_tables(temporary / SPLIT_FOLDERS[split], clips[CLIP_COLUMNS], chunks, vocabulary)
            digest = data_sha256(clips, chunks, vocabulary, settings.resampler)
            write_json(temporary / SPLIT_FOLDERS[split] / DATA_FILE, {"data_sha256": digest})
    return len(good), int(bad.sum())


def count_classes(clips: pd.DataFrame, vocabulary: Sequence[str]) -> pd.DataFrame:
    """Count clips per label and split: label, train, val, eval."""
    exploded = clips[["split", "labels"]].explode("labels")
    counts = pd.crosstab(exploded["labels"], exploded["split"])
    table = counts.reindex(index=list(vocabulary), columns=list(SPLITS), fill_value=0)
    return table.rename_axis("label").rename_axis(None, axis=1).reset_index()


def store_shard(job: ShardJob) -> list[dict[str, int | str]]:
    """Write one shard; return each file's shard, offset and samples, or why it is set aside."""
    rows: list[dict[str, int | str]] = []
    offset = 0
    with (
        atomic_file(shard_path(job.folder, job.number)) as temporary,
        temporary.open("wb") as shard,
        Recordings(job.resampler, job.max_clip_s) as recordings,
    ):
        for file, start_s, end_s in job.clips:
            row: dict[str, int | str] = {"shard": job.number, "offset": offset, "reason": ""}
            try:
                place = job.root / file
                if end_s and isinstance(place, Path):
                    samples = recordings.read(place, float(start_s), float(end_s))
                else:
                    samples = read_clip(place, job.resampler, job.max_clip_s)
                shard.write(samples.tobytes())
                row["samples"] = len(samples)
                offset += len(samples)
            except BadClipError as error:
                row |= {"samples": 0, "reason": str(error)}
            except DiskError as error:
                raise LeanError(
                    f"on {socket.gethostname()}, {error}; every host needs the sounds under the "
                    "same path (docs/cluster.md)"
                ) from None
            rows.append(row)
    return rows


def _key(dataset: Dataset, settings: Prepare) -> str:
    """Return a key of the shards alone; hops, tail and max_set_aside do not change them."""
    clips = hashlib.sha256()
    columns = ["split", "file", "start_s", "end_s", "checksum"]
    for row in dataset.clips[columns].itertuples(index=False):
        clips.update(("\0".join(row) + "\n").encode())
    return content_key(
        clips=clips.hexdigest(), resampler=settings.resampler, max_clip_s=settings.max_clip_s
    )


def _jobs(dataset: Dataset, root: Root, folder: Path, settings: Prepare) -> Iterator[ShardJob]:
    for split in SPLITS:
        directory = folder / SPLIT_FOLDERS[split]
        directory.mkdir(parents=True, exist_ok=True)
        chosen = dataset.clips.loc[dataset.clips["split"] == split, ["file", "start_s", "end_s"]]
        clips = list(chosen.itertuples(index=False, name=None))
        for number, start in enumerate(range(0, len(clips), SHARD_CLIPS)):
            part = tuple(clips[start : start + SHARD_CLIPS])
            yield ShardJob(number, root, part, directory, settings.resampler, settings.max_clip_s)


def _check_fraction(clips: pd.DataFrame, bad: pd.Series, limit: float, listed_in: Path) -> None:
    """Raise BadInputError if too many clips of one split are unusable; one is never too many."""
    for split in SPLITS:
        chosen = clips["split"] == split
        count, total = int((bad & chosen).sum()), int(chosen.sum())
        if count > max(1, limit * total):
            first = clips[bad & chosen].iloc[0]
            raise BadInputError(
                f"{count} of {total} {split} clips cannot be used, more than the fraction "
                f"prepare.max_set_aside allows ({limit}): mend or remove them, or raise it; "
                f"{listed_in} lists them, the first: {first['file']} ({first['reason']})"
            )
