"""One table that lists files and their labels, such as ESC-50's and UrbanSound8K's."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lean_audio.config.datasets import SETTINGS
from lean_audio.datasets.layouts.found import Found, clip_table, vocabulary_of
from lean_audio.datasets.layouts.spans import differing, part_of_file, read_events
from lean_audio.datasets.licences import short_name
from lean_audio.datasets.names import (
    LABEL_SEPARATORS,
    clean,
    column_name,
    split_labels,
    split_of,
    unique_labels,
)
from lean_audio.datasets.sounds import Sounds
from lean_audio.datasets.tables import read_table
from lean_audio.errors import LeanError, counted, join_first

FILE_COLUMNS = (
    *("file", "filename", "file_name", "fname", "path", "filepath", "file_path"),
    "slice_file_name",
)
LABEL_COLUMNS = (
    *("labels", "label", "category", "categories", "class", "classes", "tags", "tag"),
    "event_label",
)
PART, EVENT = ("start_s", "end_s"), ("onset", "offset")  # of a clip in its file; of an event
GROUP_COLUMNS = ("group", "src_file", "fsid")  # of the recording: src_file ESC-50's, fsID US8K's
LICENCE_COLUMNS = ("licence", "license")


@dataclass(frozen=True)
class Columns:
    """Names of columns; an empty one is found by its usual names."""

    file: str = ""
    label: str = ""
    group: str = ""

    def find(self, names: Sequence[str]) -> tuple[str, str]:
        """Return the columns of files and of labels among these; "" for one that is missing."""
        return _first(names, self.file, FILE_COLUMNS), _first(names, self.label, LABEL_COLUMNS)


def _first(names: Sequence[str], wanted: str, usual: Sequence[str]) -> str:
    candidates = (column_name(wanted),) if wanted else usual
    return next((name for name in candidates if name in names), "")


def read_listing(
    root: Path, path: Path, sounds: Sounds, columns: Columns, eval_folds: Sequence[str]
) -> Found:
    """Read the clips that a table lists; files are found below `root` by path or name.

    Rows of one file, or of one part of it (start_s, end_s), are one clip with the labels of all.
    With the columns onset and offset the rows are annotations of recordings.

    Raises LeanError, with the line and the value, for a file that is missing or not unique, an
    unknown split or fold, a time that is no number, a start after its end, an end beyond the file,
    and rows of one file that differ in more than their labels.
    """
    table = read_table(path)
    file_column, label_column = columns.find(list(table))
    group_column = _first(list(table), columns.group, GROUP_COLUMNS)
    if columns.group and not group_column:
        raise LeanError(_lacks(path, table, f"{SETTINGS}: group_column", columns.group))
    _check_labels(path, table, label_column)
    licences = _column(table, _first(list(table), "", LICENCE_COLUMNS))
    rows = pd.DataFrame(
        {
            "file": (files := _find_files(root, path, sounds, table, file_column)),
            **_parts(root, path, table, files),
            "labels": [split_labels(text, LABEL_SEPARATORS) for text in table[label_column]],
            "split": _splits(path, table, eval_folds),
            "group": _column(table, group_column),
            "licence": licences.map(short_name),
            "uploader": _column(table, "uploader"),
        },
        index=table.index,
    )
    annotations = read_events(path, table, rows) if set(EVENT) <= set(table) else None
    clips, remarks = _join_rows(path, rows, quiet=annotations is not None)
    remarks += _unused_columns(path, table, eval_folds)
    if odd := differing(clips):
        count = counted(len(odd), "clip")
        remarks.append(
            f"overlaps another part of its file that has other labels: {count} "
            f"({join_first(odd)}); annotations have the columns onset and offset instead"
        )
    if unlisted := sorted({*sounds.found} - {*clips["file"]}):
        count = counted(len(unlisted), "sound")
        remarks.append(f"not listed in {path.name}: {count} ({join_first(unlisted)})")
    layout = f"listed in {path.relative_to(root).as_posix()}"
    if annotations is not None:
        layout = f"cut from {counted(len(clips), 'recording')} {layout}"
    elif clips["end_s"].any():
        layout = f"{layout}, in {counted(clips['file'].nunique(), 'file')}"
    return Found(
        *(clips, vocabulary_of(clips, str(path)), str(path), layout, tuple(remarks), annotations)
    )


def _unused_columns(path: Path, table: pd.DataFrame, eval_folds: Sequence[str]) -> list[str]:
    """Say which columns are understood elsewhere, but have no effect here."""
    remarks = []
    if "fold" in table and "split" not in table and not eval_folds:
        remarks.append(
            f"not used: fold of {path.name}; name the folds for evaluation in "
            f"eval_folds in {SETTINGS}"
        )
    if len(one := [name for name in EVENT if name in table]) == 1:
        remarks.append(f"not used: {one[0]} of {path.name}; annotations have onset and offset")
    return remarks


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name] if name in table else pd.Series("", table.index)


def _lacks(path: Path, table: pd.DataFrame, setting: str, value: str) -> str:
    return f"{path}: {setting}: {value!r} is not one of its columns: {', '.join(table)}"


def _check_labels(path: Path, table: pd.DataFrame, column: str) -> None:
    if table.empty:
        raise LeanError(f"{path} has a header, but no rows")
    if not table[column].any():
        raise LeanError(f"{path}: the column {column!r} is empty in all {len(table)} rows")


def _find_files(
    root: Path, path: Path, sounds: Sounds, table: pd.DataFrame, column: str
) -> list[str]:
    place = path.parent.relative_to(root).as_posix()
    folds = _column(table, "fold").map(_fold)
    return [
        _find_file(f"{path}, line {line}", _below(root, name), sounds, (place, ""), fold)
        for (line, name), fold in zip(table[column].items(), folds, strict=True)
    ]


def _parts(
    root: Path, path: Path, table: pd.DataFrame, files: Sequence[str]
) -> dict[str, list[str]]:
    """Return start_s and end_s of every row; both are empty for a whole file."""
    columns = [_column(table, name) for name in PART]
    spans = [
        part_of_file(f"{path}, line {line}", root, file, start, end)
        for file, (line, start), end in zip(files, columns[0].items(), columns[1], strict=True)
    ]
    return dict(zip(PART, map(list, zip(*spans, strict=True)), strict=True))


def _below(root: Path, name: str) -> str:
    """Return an absolute path relative to the directory, if it is below it."""
    base = clean(str(root.resolve()))
    return name.removeprefix(base).lstrip("/") if name.startswith(f"{base}/") else name


def _find_file(where: str, name: str, sounds: Sounds, folders: tuple[str, ...], fold: str) -> str:
    if not name:
        raise LeanError(f"{where}: names no file")
    found = sounds.matches(name, folders)
    if len(found) > 1 and fold:
        found = [file for file in found if f"/fold{fold}/" in f"/{file}"] or found
    if len(found) == 1:
        return found[0]
    if found:
        raise LeanError(
            f"{where}: {name!r} may be {' or '.join(map(repr, found[:3]))}; name the path"
        )
    near = sounds.nearest(name)
    hint = f"; the nearest is {near!r}" if near else ""
    raise LeanError(f"{where}: no file {name!r} below the directory of sounds{hint}")


def _splits(path: Path, table: pd.DataFrame, eval_folds: Sequence[str]) -> list[str]:
    if eval_folds:
        return _splits_of_folds(path, table, eval_folds)
    splits = []
    for line, text in _column(table, "split").items():
        if (split := split_of(text)) is None:
            raise LeanError(f"{path}, line {line}: split {text!r} is not one of train, val, eval")
        splits.append(split)
    return splits


def _splits_of_folds(path: Path, table: pd.DataFrame, eval_folds: Sequence[str]) -> list[str]:
    if "split" in table:
        raise LeanError(f"{path} has a column split: eval_folds in {SETTINGS} must be empty")
    if "fold" not in table:
        raise LeanError(_lacks(path, table, f"{SETTINGS}: eval_folds needs the column", "fold"))
    folds = table["fold"].map(_fold)
    known = sorted(set(folds))
    eval_folds = [_fold(fold) for fold in eval_folds]
    if unknown := [fold for fold in eval_folds if fold not in known]:
        raise LeanError(
            f"{path}: {SETTINGS}: eval_folds: {unknown[0]!r} is not one of its folds: "
            f"{join_first(known, 12)}"
        )
    return ["eval" if fold in eval_folds else "" for fold in folds]


def _fold(text: str) -> str:
    """Return a fold as people name it: a table with gaps may have 1.0 for 1."""
    return re.sub(r"\.0+$", "", text)


def _join_rows(path: Path, rows: pd.DataFrame, quiet: bool) -> tuple[pd.DataFrame, list[str]]:
    """Return one row per file or part of one, with the labels of all its rows."""
    key = ["file", *PART]
    twice = rows.duplicated(key, keep=False)
    rest = ["split", "group", "licence", "uploader"]
    for (file, *_), same in rows[twice].groupby(key):
        if len(same[rest].drop_duplicates()) > 1:
            lines = join_first(same.index)
            raise LeanError(f"{path}, lines {lines}: {file!r} has more than one split or group")
    labels: dict[tuple[str, ...], list[str]] = {}
    for *place, names in rows[[*key, "labels"]].itertuples(index=False):
        labels.setdefault(tuple(place), []).extend(names)
    single = rows.drop_duplicates(key)
    joined = [unique_labels(names) for names in labels.values()]  # in the order of `single`
    clips = clip_table(single.assign(labels=joined).to_dict("records"))
    again = rows["file"][twice].unique()
    count = counted(len(again), "file")
    said = f"listed more than once in {path.name}, labels joined: {count} ({join_first(again)})"
    return clips, [said] if len(again) and not quiet else []
