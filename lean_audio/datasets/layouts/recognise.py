"""Find out how a directory of sounds is laid out, and read it."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from lean_audio.config.datasets import SETTINGS
from lean_audio.datasets.layouts.annotated import (
    LabelFiles,
    find_label_files,
    is_annotated,
    read_annotated,
)
from lean_audio.datasets.layouts.found import Found
from lean_audio.datasets.layouts.fsd50k import AUDIO_FOLDERS, TRUTH, read_fsd50k
from lean_audio.datasets.layouts.table import Columns, read_listing
from lean_audio.datasets.layouts.tree import read_tree
from lean_audio.datasets.names import PARENTS_TABLES
from lean_audio.datasets.sounds import Sounds, is_hidden, list_files
from lean_audio.datasets.tables import SUFFIXES, read_header
from lean_audio.errors import LeanError, counted, join_first

NEEDS = (
    "one folder per label, a table of files and labels, annotations beside recordings, or FSD50K's "
    "layout (sounds/README.md)"
)


def read_folder(root: Path, table: str, columns: Columns, eval_folds: Sequence[str]) -> Found:
    """Read a directory of sounds in the layout that it has.

    A table that is named comes first, then FSD50K's layout, then a table that has the columns, then
    annotations beside recordings, then folders. Raises LeanError, with the nearest fit, for a
    directory that has none.
    """
    if not root.is_dir():
        raise LeanError(f"{SETTINGS}: root: {str(root)!r} is not a directory")
    if not table and (root / TRUTH).is_dir():
        _refuse_table_settings(root, columns, eval_folds, "FSD50K's layout")
        return read_fsd50k(root)
    sounds = Sounds(list_files(root))
    if not sounds.found and not sounds.unreadable:
        raise LeanError(f"{root}: no sound in this directory{_workspace_hint()}; it needs {NEEDS}")
    path = _named_table(root, table, columns) if table else _find_table(root, columns)
    if path:
        return read_listing(root, path, sounds, columns, eval_folds)
    if any((root / folder).is_dir() for folder in AUDIO_FOLDERS.values()):
        return read_fsd50k(root)  # which says what is missing
    unused = _unused_table(root, columns)
    there = unused or "no table of files and labels"
    if is_annotated(sounds, files := find_label_files(root, sounds)):
        _refuse_table_settings(root, replace(columns, label=""), eval_folds, there)
        return read_annotated(root, sounds, files, columns.label)
    _refuse_table_settings(root, columns, eval_folds, there)
    found = _read_tree(root, sounds, unused)
    return replace(found, remarks=(*found.remarks, *_few_annotated(files)))


def _read_tree(root: Path, sounds: Sounds, unused: str) -> Found:
    """Read folders of labels, unless a table that was not understood is more likely."""
    if not sounds.found:
        kinds = {Path(file).suffix for file in sounds.unreadable}
        raise LeanError(
            f"{root}: a format that is not read ({join_first(sorted(kinds))}): "
            f"{counted(len(sounds.unreadable), 'file')}; "
            "convert them, as `ffmpeg -i in.m4a out.flac` does"
        )
    if all("/" not in file for file in sounds.found):
        lacking = unused or "no folders of labels, and no table"
        raise LeanError(
            f"{root}: {counted(len(sounds.found), 'sound')}, but {lacking}; it needs {NEEDS}"
        )
    found = read_tree(root, sounds)
    if unused and len(found.vocabulary) == 1 and all(found.clips["labels"]):
        raise LeanError(f"{root}: one label, {found.vocabulary[0]!r}, and {unused}")
    return replace(found, remarks=(*found.remarks, unused)) if unused else found


def _few_annotated(files: LabelFiles) -> list[str]:
    """Say that there are annotations, but so few that the folders count as labels."""
    beside = [file for of in files.of_sound.values() for file in of]
    found = f"{counted(len(beside), 'file')} ({join_first(beside)})"
    return [f"not used, as most sounds have no annotations: {found}"] if beside else []


def _tables(root: Path) -> list[list[Path]]:
    """Return the tables in a directory, and those in the directories in it."""
    inner = sorted(path for path in root.iterdir() if path.is_dir() and not is_hidden(path.name))
    places = [[root], inner]
    return [
        [
            path
            for folder in folders
            for path in sorted(folder.iterdir())
            if path.suffix.lower() in SUFFIXES and not is_hidden(path.name)
            if path.name not in PARENTS_TABLES
        ]
        for folders in places
    ]


def _find_table(root: Path, columns: Columns) -> Path | None:
    """Return the table with a column of files and one of labels; one at the top comes first."""
    for paths in _tables(root):
        fitting = [path for path in paths if all(columns.find(read_header(path)))]
        if len(fitting) > 1:
            names = join_first(path.relative_to(root).as_posix() for path in fitting)
            raise LeanError(
                f"{root}: {names} all list files and labels; name one as table in {SETTINGS}"
            )
        if fitting:
            return fitting[0]
    return None


def _named_table(root: Path, table: str, columns: Columns) -> Path:
    path = root / table
    if not path.resolve().is_relative_to(root.resolve()) or not path.is_file():
        raise LeanError(f"{SETTINGS}: table: {table!r} is not a file in {root}")
    if not all(columns.find(names := read_header(path))):
        raise LeanError(f"{path}: {_what_lacks(columns, names)}")
    return path


def _what_lacks(columns: Columns, names: list[str]) -> str:
    """Say which column a table lacks: one that was named, or any that is known."""
    found, _ = columns.find(names)
    kind, value = ("label", columns.label) if found else ("file", columns.file)
    listed = join_first(names, 12)
    if value:
        return f"{SETTINGS}: {kind}_column: {value!r} is not one of its columns ({listed})"
    return (
        f"none of its columns ({listed}) is known to hold {kind}s; set {kind}_column in {SETTINGS}"
    )


def _unused_table(root: Path, columns: Columns) -> str:
    """Say why the first table does not list the sounds; "" if there is none."""
    for path in [path for paths in _tables(root) for path in paths]:
        if names := read_header(path):
            return f"{path.name} does not list them: {_what_lacks(columns, names)}"
    return ""


def _refuse_table_settings(
    root: Path, columns: Columns, eval_folds: Sequence[str], there: str
) -> None:
    """Raise LeanError if a setting says that there is a table."""
    values = {f"{name}_column": value for name, value in asdict(columns).items()}
    values["eval_folds"] = ", ".join(eval_folds)
    for name, value in values.items():
        if value:
            raise LeanError(
                f"{SETTINGS}: {name}: {value!r} needs a table of files and labels; in {root}: "
                f"{there}"
            )


def _workspace_hint() -> str:
    """Explain why a temporary workspace of `dvc exp run` lacks sounds that git does not know."""
    if ".dvc/tmp/exps" not in Path.cwd().as_posix():
        return ""
    return f" of a temporary workspace; set root in {SETTINGS} to an absolute path"
