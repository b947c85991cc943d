"""A hierarchy of labels: every clip of a label also has the labels above it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from lean_audio.config.datasets import SETTINGS
from lean_audio.datasets.layouts.found import Found, check_labels
from lean_audio.datasets.names import LABEL_SEPARATORS, PARENTS_TABLES
from lean_audio.datasets.tables import read_table
from lean_audio.errors import LeanError, join_first

Parents = Mapping[str, Iterable[str]]


def add_parents(found: Found, root: Path, table: str) -> Found:
    """Add the parents of every label, and theirs, to clips and annotations.

    table: relative to root; empty: one of names.PARENTS_TABLES, if there is one. The folders of a
    tree are parents too.

    Raises LeanError if there is neither, for a table without the columns child and parent, an empty
    field, and a label that is above itself.
    """
    path = _find(root, table)
    if path is None and not found.parents:
        raise LeanError(
            f"{SETTINGS}: propagate needs a table with the columns child and parent; {root} "
            f"has no {PARENTS_TABLES[0]}"
        )
    stated = read_parents(path) if path else {}
    above = ancestors(_joined(found.parents, stated), str(path or root))
    if path and not set(stated) & set(found.vocabulary):
        raise LeanError(f"{path}: no child is one of the labels: {join_first(found.vocabulary)}")
    labels = set(found.vocabulary)
    new = {parent for label in labels for parent in above.get(label, ())} - labels
    known = list(found.vocabulary)
    vocabulary = sorted({*known, *new}) if known == sorted(known) else [*known, *sorted(new)]
    return replace(
        found,
        clips=found.clips.assign(labels=[_with(row, above) for row in found.clips["labels"]]),
        vocabulary=tuple(vocabulary),
        parents=_joined(found.parents, stated),
        annotations=found.annotations
        and {
            file: [replace(one, labels=_with(one.labels, above)) for one in annotations]
            for file, annotations in found.annotations.items()
        },
    )


def hierarchy(found: Found) -> dict[str, list[str]]:
    """Return the labels directly above each label that has some; {} if one is above itself."""
    try:
        ancestors(found.parents, found.where)
    except LeanError:
        return {}  # of folders, which need not be a hierarchy
    known = set(found.vocabulary)
    rows = {label: found.parents.get(label, ()) for label in found.vocabulary}
    above = {label: sorted({*row} & known) for label, row in rows.items()}
    return {label: row for label, row in above.items() if row}


def read_parents(path: Path) -> dict[str, list[str]]:
    """Read a table of children and parents; a child may have several rows."""
    table = read_table(path)
    if missing := [name for name in ("child", "parent") if name not in table]:
        raise LeanError(
            f"{path}: lacks the column {join_first(missing)}; it has {join_first(table, 12)}"
        )
    parents: dict[str, list[str]] = {}
    for line, child, parent in table[["child", "parent"]].itertuples():
        check_labels([child, parent], f"{path}, line {line}", LABEL_SEPARATORS)
        parents.setdefault(child, []).append(parent)
    return parents


def ancestors(parents: Parents, where: str) -> dict[str, tuple[str, ...]]:
    """Return all labels above each one; raise LeanError if one is above itself."""
    above: dict[str, tuple[str, ...]] = {}

    def climb(label: str, path: tuple[str, ...]) -> tuple[str, ...]:
        if label in path:
            circle = " > ".join((*path[path.index(label) :], label))
            raise LeanError(f"{where}: a label is above itself: {circle}")
        if label not in above:
            found: dict[str, None] = {}
            for parent in parents.get(label, ()):
                found |= dict.fromkeys((parent, *climb(parent, (*path, label))))
            above[label] = tuple(found)
        return above[label]

    for label in parents:
        climb(label, ())
    return above


def _find(root: Path, table: str) -> Path | None:
    if table:
        if not (root / table).is_file():
            raise LeanError(f"{SETTINGS}: parents: {table!r} is not a file in {root}")
        return root / table
    return next((root / name for name in PARENTS_TABLES if (root / name).is_file()), None)


def _joined(*several: Parents) -> dict[str, list[str]]:
    joined: dict[str, list[str]] = {}
    for parents in several:
        for child, above in parents.items():
            joined.setdefault(child, []).extend(above)
    return joined


def _with(labels: tuple[str, ...], above: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return labels and those above them, each once."""
    return tuple(dict.fromkeys([*labels, *(up for name in labels for up in above.get(name, ()))]))
