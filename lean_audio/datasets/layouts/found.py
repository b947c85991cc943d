"""What a reader of a layout returns, and what it checks on the way."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pandas as pd

from lean_audio.datasets.layouts.label_files import Annotation
from lean_audio.datasets.names import LABEL_SEPARATORS, clean, label_fault
from lean_audio.errors import LeanError, join_first

COLUMNS = [
    *("clip", "file", "start_s", "end_s", "labels", "split", "group", "licence", "uploader"),
]


@dataclass(frozen=True)
class Found:
    """The clips of a directory, before they are hashed and split.

    Attributes
    ----------
    clips
        One row per clip with the columns COLUMNS. labels is a tuple; split, group, licence and
        uploader are empty where nothing states them. start_s and end_s are empty for a whole file.
    vocabulary
        Class labels, in order.
    where
        The file or directory that lists the clips, for messages.
    layout
        The layout in words, for the screen: "in 9 folders, one label per folder".
    remarks
        One sentence per thing that may be a mistake.
    annotations
        What is heard when, by file, if the clips are recordings to be cut; else None.
    parents
        The labels directly above a label, as far as folders state them.
    """

    clips: pd.DataFrame
    vocabulary: tuple[str, ...]
    where: str
    layout: str
    remarks: tuple[str, ...] = ()
    annotations: Mapping[str, Sequence[Annotation]] | None = None
    parents: Mapping[str, Sequence[str]] = field(default_factory=dict)


def clip_table(rows: Iterable[dict[str, object]]) -> pd.DataFrame:
    """Make the table of clips of rows that have a file, labels and some of the other columns."""
    table = pd.DataFrame(rows).reindex(columns=COLUMNS, fill_value="").astype(object)
    files = table["file"].unique().tolist()
    names = dict(zip(files, name_clips(files), strict=True))
    columns = (table[name] for name in ("file", "start_s", "end_s"))
    return table.assign(
        clip=[part_name(names[file], *span) for file, *span in zip(*columns, strict=True)]
    )


def part_name(name: str, start_s: str, end_s: str) -> str:
    """Name a part of a file; both times are empty for a whole one."""
    return f"{name}@{start_s}-{end_s}" if end_s else name


def name_clips(files: Sequence[str]) -> list[str]:
    """Name clips by the shortest part of their path by which all of them differ.

    That is the file's name without suffix, its path without suffix, or its path.
    """
    paths = [PurePosixPath(clean(file)) for file in files]
    choices = [
        [path.stem for path in paths],
        [path.with_suffix("").as_posix() for path in paths],
        list(files),
    ]
    return next(names for names in choices if len(set(names)) == len(names))


def vocabulary_of(clips: pd.DataFrame, where: str) -> tuple[str, ...]:
    """Return all labels in alphabetical order; raise LeanError if there are none, or a bad one."""
    labels = sorted({label for labels in clips["labels"] for label in labels})
    if not labels:
        raise LeanError(f"{where}: no clip has a label")
    check_labels(labels, where, LABEL_SEPARATORS)
    return tuple(labels)


def check_labels(labels: Sequence[str], where: str, separators: str = ",") -> None:
    """Raise LeanError for a name that cannot be a label."""
    for label in labels:
        if fault := label_fault(label, separators):
            raise LeanError(f"{where}: the label {label!r} {fault}")


def check_unique(values: Sequence[str], message: str) -> None:
    """Raise LeanError with the values that occur more than once."""
    series = pd.Series(values, dtype=str)
    if twice := sorted(set(series[series.duplicated()])):
        raise LeanError(f"{message}: {join_first(map(repr, twice))}")
