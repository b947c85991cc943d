"""Read a dataset: clips with file, labels and split, their vocabulary, and their origin.

Every dataset is read from a directory in FSD50K layout, whether generated, downloaded or your own.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import pandas as pd

from lean_audio.audio.split_zip import ArchiveRoot, DamagedEntryError, crc32, read_bytes
from lean_audio.datasets.licences import add_licences
from lean_audio.errors import BadInputError, LeanError, join_first
from lean_audio.files import read_json, write_csv, write_json
from lean_audio.screen import progress

SPLITS = ("train", "val", "eval")
AUDIO_FOLDERS = {"dev": "FSD50K.dev_audio", "eval": "FSD50K.eval_audio"}
CLIP_COLUMNS = ["clip", "split", "labels", "file", "checksum", "licence", "uploader"]
Root = Path | ArchiveRoot
Entry = Path | zipfile.Path


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
        checksum is the MD5 of a file or the CRC-32 of an archive's entry; licence and uploader may
        be empty.
    licence_filter
        Licences whose clips were selected; empty if all were.
    """

    name: str
    origin: str
    synthetic: bool
    vocabulary: tuple[str, ...]
    clips: pd.DataFrame
    licence_filter: tuple[str, ...] = ()

    def save(self, folder: Path) -> None:
        """Write clips.csv, vocabulary.csv and dataset.json."""
        rows = self.clips.assign(labels=self.clips["labels"].map(",".join))
        write_csv(folder / "clips.csv", rows)
        write_csv(folder / "vocabulary.csv", pd.DataFrame({"label": self.vocabulary}))
        names = ("name", "origin", "synthetic", "licence_filter")
        write_json(folder / "dataset.json", {name: getattr(self, name) for name in names})


def dataset_root(dataset: str, folder: Path, raw: Path) -> Root:
    """Return the root of a dataset in FSD50K layout: a directory, or the archives in one.

    folder: directory of your own sounds; raw: directory of generated or downloaded ones.
    """
    if dataset == "folder":
        return folder
    return ArchiveRoot(raw) if dataset == "fsd50k" else raw


def load_dataset(folder: Path) -> Dataset:
    """Read a dataset that Dataset.save wrote."""
    clips = pd.read_csv(folder / "clips.csv", dtype=str, keep_default_na=False)
    clips["labels"] = clips["labels"].map(_split_labels)
    vocabulary = pd.read_csv(folder / "vocabulary.csv", dtype=str, keep_default_na=False)
    about = read_json(folder / "dataset.json")
    return Dataset(
        name=about["name"],
        origin=about["origin"],
        synthetic=about["synthetic"],
        licence_filter=tuple(about["licence_filter"]),
        vocabulary=tuple(vocabulary["label"]),
        clips=clips,
    )


def read_layout(root: Root, *, name: str, origin: str, synthetic: bool) -> Dataset:
    """Read a directory in FSD50K layout, or its archives, and hash every clip listed in it.

    Raises LeanError for a missing CSV, column or clip, a label outside the vocabulary,
    duplicates, an unknown split, or a split without clips.
    """
    vocabulary = read_vocabulary(root / "FSD50K.ground_truth" / "vocabulary.csv")
    dev = _read_truth(root, "dev", ["fname", "labels", "split"])
    evaluation = _read_truth(root, "eval", ["fname", "labels"]).assign(split="eval")
    _check_dev_splits(dev, root)
    clips = pd.concat([dev, evaluation])
    _check_clips(clips, vocabulary, root)
    clips = clips.sort_values(["split", "clip"], key=_split_order, kind="stable")
    clips["checksum"] = [_checksum(root, file) for file in progress(clips["file"], "hash clips")]
    clips = add_licences(clips, root)
    return Dataset(
        name=name,
        origin=origin,
        synthetic=synthetic,
        vocabulary=vocabulary,
        clips=clips[CLIP_COLUMNS].reset_index(drop=True),
    )


def read_vocabulary(path: Entry) -> tuple[str, ...]:
    """Read the labels in the order of their index.

    The file has the columns index, label and, optionally, mid, and no header. Raises LeanError for
    another format, a label that occurs twice, or one that is empty or has a line break.
    """
    table = _read_csv(path, header=None)
    if table.shape[1] < 2:
        raise LeanError(f"{path}: needs the columns index, label[, mid] and no header")
    labels = table[1].tolist()
    _check_unique(labels, f"{path}: labels listed more than once")
    broken = [label for label in labels if label.splitlines() != [label]]
    if broken:
        raise LeanError(f"{path}: {broken[0]!r} is empty or has a line break; a label is one line")
    indices = table[0].tolist()
    if indices != [str(index) for index in range(len(indices))]:
        raise LeanError(f"{path}: the first column must count 0, 1, 2, ... in order")
    return tuple(labels)


@cache  # clips with the same labels share one tuple
def _split_labels(text: str) -> tuple[str, ...]:
    return tuple(label.strip() for label in text.split(",") if label.strip())


def _split_order(column: pd.Series) -> pd.Series:
    return column.map(SPLITS.index) if column.name == "split" else column


def _read_csv(path: Entry, header: int | None = 0) -> pd.DataFrame:
    if not path.is_file():
        raise LeanError(f"{path} is missing: a dataset needs FSD50K's layout (sounds/README.md)")
    try:
        content = io.BytesIO(read_bytes(path))
        return pd.read_csv(content, dtype=str, keep_default_na=False, header=header)
    except DamagedEntryError as error:
        raise LeanError(f"{path}: {error}") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise LeanError(f"{path} is not a CSV: {' '.join(str(error).split())}") from None


def _read_truth(root: Root, part: str, columns: list[str]) -> pd.DataFrame:
    path = root / "FSD50K.ground_truth" / f"{part}.csv"
    table = _read_csv(path)
    if missing := [column for column in columns if column not in table]:
        raise LeanError(
            f"{path}: lacks the column {join_first(missing)} (needs {', '.join(columns)})"
        )
    if not isinstance(table.index, pd.RangeIndex):
        raise LeanError(f"{path}: rows have more fields than the header; quote labels with commas")
    table = table[columns].rename(columns={"fname": "clip"})
    table["labels"] = table["labels"].map(_split_labels)
    table["file"] = _find_files(root, AUDIO_FOLDERS[part], table["clip"], path)
    return table


def _find_files(root: Root, folder: str, clips: Iterable[str], listed_in: Entry) -> list[str]:
    """Return each clip's file relative to root, found by its stem, with any suffix."""
    found: dict[str, list[str]] = {}
    for name in sorted(path.name for path in _listing(root / folder)):
        found.setdefault(PurePosixPath(name).stem, []).append(name)
    clips = list(clips)
    if missing := [clip for clip in clips if clip not in found]:
        raise LeanError(
            f"{root / folder}: no file for {join_first(missing)}, listed in {listed_in}"
        )
    if twice := [clip for clip in clips if len(found[clip]) > 1]:
        raise LeanError(f"{root / folder}: more than one file for {join_first(twice)}; keep one")
    return [f"{folder}/{found[clip][0]}" for clip in clips]


def _check_dev_splits(dev: pd.DataFrame, root: Root) -> None:
    if unknown := sorted(set(dev["split"]) - {"train", "val"}):
        path = root / "FSD50K.ground_truth" / "dev.csv"
        raise LeanError(f"{path}: split {join_first(map(repr, unknown))} is not one of train, val")


def _check_clips(clips: pd.DataFrame, vocabulary: tuple[str, ...], root: Root) -> None:
    truth = root / "FSD50K.ground_truth"
    _check_unique(clips["clip"].tolist(), f"{truth}: clips listed more than once")
    used = {label for labels in clips["labels"] for label in labels}
    if unknown := sorted(used - set(vocabulary)):
        raise LeanError(f"{truth}: labels that are not in vocabulary.csv: {join_first(unknown)}")
    check_splits(clips["split"], str(truth))


def check_splits(splits: pd.Series, where: str) -> None:
    """Raise BadInputError unless every split has clips."""
    if empty := [split for split in SPLITS if split not in set(splits)]:
        raise BadInputError(
            f"{where}: no clips in {', '.join(empty)}; each split needs at least one"
        )


def _check_unique(values: list[str], message: str) -> None:
    series = pd.Series(values, dtype=str)
    if twice := sorted(set(series[series.duplicated()])):
        raise LeanError(f"{message}: {join_first(twice)}")


def _listing(folder: Entry) -> list[Entry]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _checksum(root: Root, file: str) -> str:
    path = root / file
    if isinstance(path, zipfile.Path):
        return crc32(path)
    try:
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "md5").hexdigest()
    except OSError as error:
        raise LeanError(f"{path} cannot be read: {error.strerror}") from None
