"""Find out how a directory of sounds is laid out, and read it."""

from collections.abc import Sequence
from pathlib import Path

from lean_audio.datasets.layouts.found import Found
from lean_audio.datasets.layouts.fsd50k import TRUTH, read_fsd50k
from lean_audio.datasets.layouts.table import Columns, read_listing
from lean_audio.datasets.layouts.tree import read_tree
from lean_audio.datasets.sounds import Sounds, is_hidden, list_files
from lean_audio.datasets.tables import SUFFIXES, read_header
from lean_audio.errors import LeanError, counted, join_first

NEEDS = "one folder per label, a table of files and labels, or FSD50K's layout (sounds/README.md)"


def read_folder(root: Path, table: str, columns: Columns, eval_folds: Sequence[str]) -> Found:
    """Read a directory of sounds in the layout that it has.

    A table that is named comes first, then FSD50K's layout, then a table that has the columns, then
    folders. Raises LeanError, with the nearest fit, for a directory that has none.
    """
    if not root.is_dir():
        raise LeanError(f"datasets.folder.root: {str(root)!r} is not a directory")
    if not table and (root / TRUTH).is_dir():
        _refuse_folds(root, eval_folds, "FSD50K's layout")
        return read_fsd50k(root)
    sounds = Sounds(list_files(root))
    if not sounds.found and not sounds.unreadable:
        raise LeanError(f"{root}: no sound in this directory{_workspace_hint()}; it needs {NEEDS}")
    path = _named_table(root, table, columns) if table else _find_table(root, columns)
    if path:
        return read_listing(root, path, sounds, columns, eval_folds)
    if not sounds.found:
        kinds = {Path(file).suffix for file in sounds.unreadable}
        raise LeanError(
            f"{root}: a format that is not read ({join_first(sorted(kinds))}): "
            f"{counted(len(sounds.unreadable), 'file')}; "
            "convert them, as `ffmpeg -i in.m4a out.flac` does"
        )
    _refuse_unused_columns(root, columns)
    if all("/" not in file for file in sounds.found):
        raise LeanError(f"{root}: {_nearest(root, len(sounds.found))}")
    _refuse_folds(root, eval_folds, "one folder per label")
    return read_tree(root, sounds)


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
                f"{root}: {names} all list files and labels; name one in datasets.folder.table"
            )
        if fitting:
            return fitting[0]
    return None


def _named_table(root: Path, table: str, columns: Columns) -> Path:
    path = root / table
    if not path.resolve().is_relative_to(root.resolve()) or not path.is_file():
        raise LeanError(f"datasets.folder.table: {table!r} is not a file in {root}")
    if not all(columns.find(names := read_header(path))):
        raise LeanError(f"{path}: {_what_lacks(columns, names)}")
    return path


def _what_lacks(columns: Columns, names: list[str]) -> str:
    file, _ = columns.find(names)
    kind, value = ("label", columns.label) if file else ("file", columns.file)
    setting = f"datasets.folder.{kind}_column"
    what = f"{setting}: {value!r} is not one" if value else f"none is known as the {kind}s'"
    rest = "" if value else f"; name it in {setting}"
    return f"of its columns ({join_first(names, 12)}) {what}{rest}"


def _refuse_unused_columns(root: Path, columns: Columns) -> None:
    for name in ("file", "label", "group"):
        if value := getattr(columns, name):
            raise LeanError(
                f"{root}: no table in it has the columns of files and labels, one of them "
                f"datasets.folder.{name}_column: {value!r}"
            )


def _refuse_folds(root: Path, eval_folds: Sequence[str], layout: str) -> None:
    if eval_folds:
        raise LeanError(
            f"datasets.folder.eval_folds needs a table with the column fold; {root} has {layout}"
        )


def _nearest(root: Path, count: int) -> str:
    """Say what a directory of loose sounds lacks."""
    for path in [path for paths in _tables(root) for path in paths]:
        if names := read_header(path):
            lacking = _what_lacks(Columns(), names)
            return f"{counted(count, 'sound')}, and {path.name} does not list them: {lacking}"
    sounds = counted(count, "sound")
    return f"{sounds} without labels: it has no folders and no table; it needs {NEEDS}"


def _workspace_hint() -> str:
    """Explain why a temporary workspace of `dvc exp run` lacks sounds that git does not know."""
    if ".dvc/tmp/exps" not in Path.cwd().as_posix():
        return ""
    return " of a temporary workspace; set datasets.folder.root to an absolute path"
