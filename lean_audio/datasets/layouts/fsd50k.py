"""FSD50K's layout: two directories of clips, and a directory of three tables."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pandas as pd

from lean_audio.audio.split_zip import ArchiveRoot
from lean_audio.datasets.layouts.found import COLUMNS, Found, check_labels, check_unique
from lean_audio.datasets.licences import add_licences
from lean_audio.datasets.names import clean, split_labels, split_of
from lean_audio.datasets.sounds import Sounds, is_hidden
from lean_audio.datasets.tables import Entry, read_table
from lean_audio.errors import LeanError, join_first

TRUTH = "FSD50K.ground_truth"
AUDIO_FOLDERS = {"dev": "FSD50K.dev_audio", "eval": "FSD50K.eval_audio"}
Root = Path | ArchiveRoot


def read_fsd50k(root: Root) -> Found:
    """Read a directory in FSD50K layout, or its archives.

    A clip whose `split` is empty has none. Raises LeanError for a missing CSV, column or clip, a
    label outside the vocabulary, duplicates, or an unknown split.
    """
    vocabulary = read_vocabulary(root / TRUTH / "vocabulary.csv")
    dev = _read_truth(root, "dev")
    evaluation = _read_truth(root, "eval").assign(split="eval")
    clips = pd.concat([dev, evaluation])
    where = root / TRUTH
    check_unique(clips["clip"].tolist(), f"{where}: clips listed more than once")
    used = {label for labels in clips["labels"] for label in labels}
    if unknown := sorted(used - set(vocabulary)):
        raise LeanError(
            f"{where}: labels that are not in vocabulary.csv: {join_first(map(repr, unknown))}"
        )
    clips = add_licences(clips.assign(group="", start_s="", end_s=""), root)[COLUMNS].reset_index(
        drop=True
    )
    return Found(clips, vocabulary, str(where), "in FSD50K layout")


def read_vocabulary(path: Entry) -> tuple[str, ...]:
    """Read the labels in the order of their index.

    The file has the columns index, label and, optionally, mid, and no header. Raises LeanError for
    another format, a label that occurs twice, or one that is empty or has a comma or a line break.
    """
    table = _read(path, header=False)
    if table.shape[1] < 2:
        raise LeanError(f"{path}: needs the columns index, label[, mid] and no header")
    labels = table[1].tolist()
    check_unique(labels, f"{path}: labels listed more than once")
    check_labels(labels, str(path))
    indices = table[0].tolist()
    if indices != [str(index) for index in range(len(indices))]:
        raise LeanError(f"{path}: the first column must count 0, 1, 2, ... in order")
    return tuple(labels)


def _read(path: Entry, *, header: bool) -> pd.DataFrame:
    if not path.is_file():
        raise LeanError(f"{path} is missing: a dataset needs FSD50K's layout (sounds/README.md)")
    return read_table(path, header=header)


def _read_truth(root: Root, part: str) -> pd.DataFrame:
    path = root / TRUTH / f"{part}.csv"
    table = _read(path, header=True)
    if missing := [column for column in ("fname", "labels") if column not in table]:
        raise LeanError(f"{path}: lacks the column {join_first(missing)} (needs fname, labels)")
    splits = table.get("split", pd.Series("", table.index))
    files = _find_files(root, AUDIO_FOLDERS[part], table["fname"], path)
    return pd.DataFrame(
        {
            "clip": [
                _clip_name(name, file) for name, file in zip(table["fname"], files, strict=True)
            ],
            "labels": table["labels"].map(split_labels),
            "split": [_split(text, path, line) for line, text in splits.items()],
            "file": files,
        }
    )


def _clip_name(name: str, file: str) -> str:
    """Return a clip's name, which its table may give with the suffix of its file."""
    path = PurePosixPath(clean(file))
    return path.stem if name == path.name else name


def _split(text: str, path: Entry, line: object) -> str:
    split = split_of(text)
    if split is None:
        raise LeanError(f"{path}, line {line}: split {text!r} is not one of train, val")
    return split


def _find_files(root: Root, folder: str, clips: Iterable[str], listed_in: Entry) -> list[str]:
    """Return each clip's file relative to root, found by its stem, with any suffix."""
    place = root / folder
    names = [path.name for path in place.iterdir() if path.is_file()] if place.is_dir() else []
    sounds = Sounds(f"{folder}/{name}" for name in sorted(names) if not is_hidden(name))
    found = {clip: sounds.matches(clip) for clip in clips}
    if missing := [clip for clip in found if not found[clip]]:
        raise LeanError(f"{place}: no file for {join_first(missing)}, listed in {listed_in}")
    if twice := [clip for clip in found if len(found[clip]) > 1]:
        raise LeanError(f"{place}: more than one file for {join_first(twice)}; keep one")
    return [found[clip][0] for clip in clips]
