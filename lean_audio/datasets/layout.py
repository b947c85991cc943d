"""A dataset: clips with file, labels, split and checksum, their vocabulary, and their origin.

`layouts` finds the clips; generated and downloaded datasets are in FSD50K layout.
"""

import hashlib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from lean_audio.audio.split_zip import ArchiveRoot, crc32
from lean_audio.config.datasets import Source
from lean_audio.datasets.layouts.found import Found
from lean_audio.datasets.layouts.fsd50k import Root, read_fsd50k
from lean_audio.datasets.names import SPLITS, split_labels
from lean_audio.errors import BadInputError, LeanError
from lean_audio.files import read_json, write_csv, write_json
from lean_audio.screen import progress

CLIP_COLUMNS = [
    *("clip", "split", "labels", "file", "start_s", "end_s", "checksum", "group", "licence"),
    "uploader",
]


@dataclass(frozen=True)
class Dataset:
    """The clips of a dataset and where they came from.

    Attributes
    ----------
    name
        As in params.yaml.
    origin
        Where the clips came from, in words.
    synthetic
        Whether they were generated rather than recorded.
    vocabulary
        Class labels, in order.
    clips
        One row per clip with the columns CLIP_COLUMNS, sorted by split and clip. labels is a tuple;
        start_s and end_s are text, and empty if the clip is a whole file; checksum is the MD5 of a
        file or the CRC-32 of an archive's entry; group, licence and uploader may be empty.
    licence_filter
        Licences whose clips were selected; empty if all were.
    parents
        Label -> the labels directly above it, if the labels are a hierarchy that is known.
    """

    name: str
    origin: str
    synthetic: bool
    vocabulary: tuple[str, ...]
    clips: pd.DataFrame
    licence_filter: tuple[str, ...] = ()
    parents: dict[str, list[str]] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write clips.csv, vocabulary.csv and dataset.json."""
        rows = self.clips.assign(labels=self.clips["labels"].map(",".join))
        write_csv(folder / "clips.csv", rows)
        write_csv(folder / "vocabulary.csv", pd.DataFrame({"label": self.vocabulary}))
        names = ("name", "origin", "synthetic", "licence_filter", "parents")
        write_json(folder / "dataset.json", {name: getattr(self, name) for name in names})


def dataset_root(source: Source, raw: Path) -> Root:
    """Return the root that the files of a dataset are below: a directory, or the archives in one.

    raw: directory of generated or downloaded sounds.
    """
    if source.kind == "folder":
        return source.root
    return ArchiveRoot(raw) if source.kind == "fsd50k" else raw


def load_dataset(folder: Path) -> Dataset:
    """Read a dataset that Dataset.save wrote."""
    clips = pd.read_csv(folder / "clips.csv", dtype=str, keep_default_na=False)
    clips["labels"] = clips["labels"].map(split_labels)
    vocabulary = pd.read_csv(folder / "vocabulary.csv", dtype=str, keep_default_na=False)
    about = read_json(folder / "dataset.json")
    return Dataset(
        name=about["name"],
        origin=about["origin"],
        synthetic=about["synthetic"],
        licence_filter=tuple(about["licence_filter"]),
        parents=about["parents"],
        vocabulary=tuple(vocabulary["label"]),
        clips=clips,
    )


def read_layout(root: Root, *, name: str, origin: str, synthetic: bool) -> Dataset:
    """Read a directory in FSD50K layout, or its archives, and hash every clip listed in it.

    Raises LeanError as read_fsd50k does, and for a split without clips or without labels.
    """
    found = read_fsd50k(root)
    check_splits(found.clips, found.where)
    return make_dataset(hash_clips(found, root), found, name, origin, synthetic)


def hash_clips(found: Found, root: Root) -> pd.DataFrame:
    """Return the clips with the column checksum."""
    files = progress(found.clips["file"].unique(), "hash clips")
    checksums = {file: _checksum(root, file) for file in files}
    return found.clips.assign(checksum=found.clips["file"].map(checksums))


def make_dataset(
    clips: pd.DataFrame, found: Found, name: str, origin: str, synthetic: bool
) -> Dataset:
    """Make a dataset of hashed clips that all have a split."""
    clips = clips.iloc[np.lexsort(_order(clips)[::-1])]
    return Dataset(
        name=name,
        origin=origin,
        synthetic=synthetic,
        vocabulary=found.vocabulary,
        clips=clips[CLIP_COLUMNS].reset_index(drop=True),
    )


def _order(clips: pd.DataFrame) -> list[pd.Series]:
    """Return what clips are sorted by: split, name, and the start of a part of a recording."""
    parts = clips["end_s"] != ""
    names = clips["clip"].where(~parts, clips["clip"].str.rpartition("@")[0])
    starts = pd.to_numeric(clips["start_s"].replace("", "-1"))
    return [clips["split"].map(SPLITS.index), pd.Series(pd.factorize(names, sort=True)[0]), starts]


def check_splits(clips: pd.DataFrame, where: str) -> None:
    """Raise BadInputError unless every split has clips, and one of them a label."""
    if empty := [split for split in SPLITS if split not in set(clips["split"])]:
        raise BadInputError(
            f"{where}: no clips in {', '.join(empty)}; each split needs at least one"
        )
    labelled = set(clips.loc[clips["labels"].map(len) > 0, "split"])
    if bare := [split for split in SPLITS if split not in labelled]:
        raise BadInputError(
            f"{where}: no clip in {', '.join(bare)} has a label; each split needs labelled clips"
        )


def _checksum(root: Root, file: str) -> str:
    path = root / file
    if isinstance(path, zipfile.Path):
        return crc32(path)
    try:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "md5").hexdigest()
    except OSError as error:
        raise LeanError(f"{path} cannot be read: {error.strerror}") from None
