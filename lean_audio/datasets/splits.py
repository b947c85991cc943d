"""Split clips that nobody has split: by a hash of their group, so that a clip stays where it is.

A group is what must not be torn apart: the clips of one recording, and clips with the same bytes.
Each group has a place in [0, 1), the hash of its name and the seed: places from 0 on are eval, the
next ones val, the rest train. Only `_Repair` looks at other groups.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lean_audio.config.datasets import SETTINGS
from lean_audio.datasets.names import SPLITS
from lean_audio.errors import BadInputError, LeanError, counted

MIN_GROUPS = 3  # a label that has as many is in eval and in train, whatever the hash says


@dataclass
class Group:
    """Clips that stay together.

    place: in [0, 1); fixed: whether its split was given, or moved by the repair.
    """

    place: float
    labels: frozenset[str]
    split: str
    fixed: bool


def group_clips(clips: pd.DataFrame, pattern: str, where: str) -> pd.DataFrame:
    """Fill in the column `group` where it is empty: the part of the path that a pattern matches.

    That part is the pattern's first group, if it has one. A clip without a match is a group of its
    own. Raises LeanError if there is no match at all.
    """
    if not pattern:
        return clips
    matches = [re.search(pattern, file) for file in clips["file"]]
    if not any(matches):
        raise LeanError(
            f"{where}: {SETTINGS}: group_pattern: {pattern!r} matches no file, for example "
            f"not {clips['file'].iloc[0]!r}"
        )
    parts = [(match[1 if match.re.groups else 0] or "") if match else "" for match in matches]
    given = clips["group"].tolist()
    return clips.assign(group=[own or part for own, part in zip(given, parts, strict=True)])


def fill_splits(
    clips: pd.DataFrame, fractions: Mapping[str, float], seed: int, where: str
) -> pd.Series:
    """Return the split of every clip; what is given stays, unless val or eval is missing.

    Clips without a split are distributed to train and the splits that nobody named; where all are
    named, to all. If every clip has a split, but val or eval has none, it is taken from train.

    Parameters
    ----------
    clips
        split, group, checksum, labels; split and group may be empty.
    fractions
        Of val and of eval.
    seed
        Other seeds split otherwise.
    where
        For messages.

    Raises
    ------
    BadInputError
        If there are fewer groups than splits to fill.
    """
    given = clips["split"].tolist()
    lacking = [split for split in SPLITS if split not in given]
    if not lacking and "" not in given:
        return clips["split"]
    names = [
        f"group {n}" if n else c for n, c in zip(clips["group"], clips["checksum"], strict=True)
    ]
    members = _members(names, clips["checksum"].tolist())
    split = _follow(given, members)
    if "" not in split:
        split = _free_training(split, members)
    targets = {"train", *lacking} if lacking else set(SPLITS)
    places = _places(names, members, seed)
    groups = _make_groups(clips["labels"], split, members, places, _limits(fractions, targets))
    free = sum(bool(group.labels) for group in groups.values() if not group.fixed)
    if "" in split and free < len(targets - set(given)):
        raise BadInputError(
            f"{where}: {counted(free, 'group')} of labelled clips cannot fill "
            f"{' and '.join(name for name in SPLITS if name in targets)}; identical clips, and "
            "those of one group, stay together"
        )
    _Repair(groups.values(), targets).run()
    filled = [groups[key].split for key in zip(members.tolist(), split, strict=True)]
    return pd.Series(filled, clips.index, dtype=object)


def _members(names: list[str], checksums: list[str]) -> np.ndarray:
    """Number the groups from 0 on: clips are together that share a name or their bytes."""
    codes, nodes = pd.factorize(np.array([*names, *checksums], dtype=object))
    ends = codes[: len(names)], codes[len(names) :]
    graph = coo_array((np.ones(len(names)), ends), shape=(len(nodes), len(nodes)))
    return connected_components(graph, directed=False)[1][ends[0]]


def _follow(given: list[str], members: np.ndarray) -> list[str]:
    """Give clips without a split that of their group, if another clip of it has one."""
    known: dict[int, str] = {}
    for split, member in sorted(zip(given, members.tolist(), strict=True), key=_order):
        if split:
            known.setdefault(member, split)
    return [own or known.get(member, "") for own, member in zip(given, members, strict=True)]


def _order(pair: tuple[str, int]) -> int:
    return ("", *SPLITS).index(pair[0])


def _free_training(split: list[str], members: np.ndarray) -> list[str]:
    """Take the training clips out of their split, unless their group is in others too."""
    bound = {member for name, member in zip(split, members, strict=True) if name != "train"}
    pairs = zip(split, members, strict=True)
    return [name if name != "train" or member in bound else "" for name, member in pairs]


def _places(names: list[str], members: np.ndarray, seed: int) -> list[float]:
    """Return each group's place in [0, 1), by its first name in the alphabet and the seed."""
    first: dict[int, str] = {}
    for member, name in zip(members.tolist(), names, strict=True):
        first[member] = min(first.get(member, name), name, key=_groups_first)
    return [place(first[member], seed) for member in range(len(first))]


def _groups_first(name: str) -> tuple[bool, str]:
    return not name.startswith("group "), name


def place(name: str, seed: int) -> float:
    """Hash a name to [0, 1)."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _limits(fractions: Mapping[str, float], targets: Collection[str]) -> dict[str, float]:
    """Return below which place a group is eval, and below which it is val.

    A split that takes no clips leaves the others in proportion.
    """
    parts = {**fractions, "train": 1 - sum(fractions.values())}
    total = sum(parts[name] for name in targets)
    evaluation = parts["eval"] / total if "eval" in targets else 0
    return {
        "eval": evaluation,
        "val": evaluation + (parts["val"] / total if "val" in targets else 0),
        "train": 1.0,
    }


def _make_groups(
    labels: Iterable[tuple[str, ...]],
    split: list[str],
    members: np.ndarray,
    places: list[float],
    limits: Mapping[str, float],
) -> dict[tuple[int, str], Group]:
    """Return the groups by number and given split; a free one has the split of its place."""
    groups: dict[tuple[int, str], Group] = {}
    for names, given, member in zip(labels, split, members.tolist(), strict=True):
        at = places[member]
        name = given or next(name for name, limit in limits.items() if at < limit)
        group = groups.setdefault((member, given), Group(at, frozenset(), name, bool(given)))
        group.labels |= frozenset(names)
    return groups


class _Repair:
    """Moves as few groups as possible so that no split lacks labels, and no label eval or train.

    A label of fewer than MIN_GROUPS groups is left alone. What moves to train has the highest
    place, what moves elsewhere the lowest of those in train; rare labels choose first, and nothing
    moves twice. Clips that are added undo such a move only if their own place is lower, or higher,
    still. Validation is not repaired by label: that would move more clips, and a threshold that
    rests on one or two of them is worth little.
    """

    def __init__(self, groups: Collection[Group], targets: Collection[str]):
        self.groups, self.targets = groups, targets
        self.counts = Counter(label for group in groups for label in group.labels)
        self.held = Counter((label, group.split) for group in groups for label in group.labels)

    def run(self) -> None:
        for label in sorted(self.counts, key=lambda label: (self.counts[label], label)):
            for split in ("eval", "train"):
                if self._needs(label, split) and not self.held[label, split]:
                    self._move([group for group in self.groups if label in group.labels], split)
        for split in SPLITS:
            if split in self.targets and not self._labelled()[split]:
                self._move([group for group in self.groups if group.labels], split, must=True)

    def _needs(self, label: str, split: str) -> bool:
        return split != "val" and split in self.targets and self.counts[label] >= MIN_GROUPS

    def _labelled(self) -> Counter[str]:
        return Counter(group.split for group in self.groups if group.labels)

    def _move(self, candidates: list[Group], split: str, must: bool = False) -> None:
        sizes = self._labelled()
        free = [group for group in candidates if not group.fixed and group.split != split]
        free = [group for group in free if sizes[group.split] > 1]
        harmless = [group for group in free if not self._is_last(group)]
        chosen = harmless or (free if must else [])
        if not chosen:
            return
        if split == "train":
            group = max(chosen, key=lambda group: group.place)
        else:
            group = min(chosen, key=lambda group: (group.split != "train", group.place))
        self.held.subtract((label, group.split) for label in group.labels)
        self.held.update((label, split) for label in group.labels)
        group.split, group.fixed = split, True

    def _is_last(self, group: Group) -> bool:
        """Return whether a label would lose its only group in a split that it needs."""
        return any(
            self.held[label, group.split] == 1 and self._needs(label, group.split)
            for label in group.labels
        )
