"""The labels that are wanted: chosen by name, and the most specific ones of a hierarchy."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lean_audio.errors import LeanError, join_first

Parents = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Choice:
    """Some of a model's labels.

    names: of the labels; columns: (chosen,) their places among the model's scores, ascending;
    above: (chosen, chosen) bool, whether the label of the column is above that of the row, or None
    if labels give way to none.
    """

    names: tuple[str, ...]
    columns: np.ndarray
    above: np.ndarray | None = None

    def giving_way(self, called: np.ndarray) -> np.ndarray:
        """Return which labels give way to a more specific one; called, result: (chosen,) bool."""
        if self.above is None:
            return np.zeros(len(self.names), bool)
        return np.any(self.above[called], axis=0)


def choose(
    labels: Sequence[str],
    parents: Parents | None = None,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    leaves: bool = False,
) -> Choice:
    """Choose among a model's labels.

    Parameters
    ----------
    labels
        Of the model, in the order of its scores.
    parents
        Label -> the labels right above it; None if the model has no hierarchy.
    include, exclude
        Names of labels, in any case; no `include` stands for all labels.
    leaves
        Whether a label gives way to a more specific one that is called.

    Raises
    ------
    LeanError
        If a name is no label, no label is left, or `leaves` is asked of a model without hierarchy.
    """
    wanted = set(_find(include, labels) or labels) - set(_find(exclude, labels))
    if not wanted:
        raise LeanError("no label is left: all that are included are excluded too")
    columns = np.array([place for place, label in enumerate(labels) if label in wanted])
    names = tuple(label for label in labels if label in wanted)
    if not leaves:
        return Choice(names, columns)
    if not parents:
        raise LeanError("the model has no hierarchy of labels (parents in lean.json) for leaves")
    ancestors = [ancestors_of(name, parents) for name in names]
    above = [[other in upper for other in names] for upper in ancestors]
    return Choice(names, columns, np.array(above, bool))


def _find(names: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Return the labels that the names stand for; raise LeanError for a name that is no label."""
    exact, folded = set(labels), {_folded(label): label for label in labels}
    found = [name if name in exact else folded.get(_folded(name), "") for name in names]
    if unknown := [name for name, label in zip(names, found, strict=True) if not label]:
        near = difflib.get_close_matches(_folded(unknown[0]), list(folded), n=3)
        shown = (
            f"near: {', '.join(folded[label] for label in near)}" if near else join_first(labels)
        )
        raise LeanError(f"{unknown[0]!r} is not one of the model's {len(labels)} labels ({shown})")
    return found


def _folded(name: str) -> str:
    return name.strip().casefold().replace("_", " ")


def ancestors_of(label: str, parents: Parents) -> set[str]:
    """Return all labels above one."""
    found: set[str] = set()
    waiting = [label]
    while waiting:
        new = set(parents.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found
