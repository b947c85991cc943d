"""One folder per label, at any depth: `Animal/Dog/x.wav` is labelled Animal and Dog."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path, PurePosixPath

from lean_audio.config.datasets import SETTINGS
from lean_audio.datasets.layouts.found import Found, clip_table, vocabulary_of
from lean_audio.datasets.names import clean, is_negative, split_of, unique_labels
from lean_audio.datasets.sounds import Sounds
from lean_audio.errors import LeanError, counted, join_first


def read_tree(root: Path, sounds: Sounds) -> Found:
    """Read clips that lie in folders named after their labels.

    If all folders at the top are named after splits, they are splits. Folders of
    names.NEGATIVES hold clips without labels.

    Raises LeanError for sounds outside any folder, for folders of splits beside folders of labels,
    and for a folder whose name cannot be a label.
    """
    if loose := [file for file in sounds.found if "/" not in file]:
        raise LeanError(
            f"{root}: {join_first(map(repr, loose))} lies beside the folders of labels; "
            "a clip without a label belongs in a folder named background"
        )
    splits = _splits(root, sounds.found)
    clips = clip_table([_row(PurePosixPath(file), splits) for file in sounds.found])
    if splits and not any(clips["labels"]):
        names = join_first(map(repr, splits))
        raise LeanError(f"{root}: {names} are splits; they need a folder per label in each")
    folders = len({PurePosixPath(file).parent for file in sounds.found})
    several = clips["labels"].map(len).max() > 1
    kind = "labelled by all folders above them" if several else "one label per folder"
    layout = f"in {counted(folders, 'folder')}, {kind}"
    odd = f"in a format that is not read: {counted(len(sounds.unreadable), 'file')} "
    remarks = [f"{odd}({join_first(sounds.unreadable)})"] if sounds.unreadable else []
    if (top := _wrapper(sounds.found)) and not splits:
        remarks.append(
            f"all sounds are in {top!r}; if that is no label, add it to root in {SETTINGS}"
        )
    vocabulary = vocabulary_of(clips, str(root))
    return Found(
        clips, vocabulary, str(root), layout, tuple(remarks), parents=_parents(clips["labels"])
    )


def _splits(root: Path, files: list[str]) -> dict[str, str]:
    """Return the split of each folder at the top; empty if these are labels."""
    tops = sorted({PurePosixPath(file).parts[0] for file in files})
    tops = [top for top in tops if not is_negative(top)]
    splits = {top: split for top in tops if (split := split_of(top))}
    if len(splits) == len(tops):
        return splits
    if len(set(splits.values())) > 1:
        labels = [top for top in tops if top not in splits]
        raise LeanError(
            f"{root}: the folders {join_first(map(repr, splits))} look like splits, and "
            f"{join_first(map(repr, labels))} beside them like labels; put the labels into splits"
        )
    return {}  # a train may be one that whistles


def _parents(rows: Iterable[tuple[str, ...]]) -> dict[str, list[str]]:
    """Return the folders directly above each folder."""
    parents: dict[str, dict[str, None]] = {}
    for labels in rows:
        for parent, child in pairwise(labels):
            parents.setdefault(child, {})[parent] = None
    return {child: [*above] for child, above in parents.items()}


def _wrapper(files: list[str]) -> str:
    """Return the one folder at the top that holds all the others; "" if there is none."""
    tops = {PurePosixPath(file).parts[0] for file in files}
    deep = all(file.count("/") > 1 for file in files)
    return tops.pop() if deep and len(tops) == 1 else ""


def _row(file: PurePosixPath, splits: dict[str, str]) -> dict[str, object]:
    folders = file.parent.parts
    split = splits.get(folders[0], "")
    labels = folders[1:] if split else folders
    if not all(map(clean, labels)):
        raise LeanError(f"{str(file)!r}: a folder above it has no name that could be a label")
    negative = any(map(is_negative, labels))
    labels = () if negative else unique_labels(labels)
    return {"file": str(file), "labels": labels, "split": split}
