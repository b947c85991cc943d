"""Class by class: how many improve, which most, and what each has to learn from."""

import math
from collections.abc import Mapping, Sequence

from lean_audio.report import paper
from lean_audio.report.inputs import Measured, Record, number

Scores = Mapping[str, float]  # average precision by class label

THRESHOLDS = (0.05, 0.10, 0.20)
TOLERANCE = 1e-12  # far above the rounding of a division, far below a real difference of two APs
MOST = 10  # classes named as most improved and as most hurt; page.js.j2 reads it from the page


def scored(rows: Sequence[Record]) -> dict[str, float]:
    """Average precision by label, without the classes that have no positives."""
    values = {row["label"]: number(row["AP"]) for row in rows}
    return {label: value for label, value in values.items() if value is not None}


def relative_improvement(ap: float, baseline: float) -> float:
    """`ap / baseline - 1`; infinite where anything beats a baseline of zero."""
    if baseline > 0:
        return ap / baseline - 1
    return math.inf if ap > 0 else 0.0


def count_better(improvements: Sequence[float]) -> tuple[int, ...]:
    """How many improve at all, and how many by at least each threshold; rounding decides none."""
    at_all = sum(value > TOLERANCE for value in improvements)
    return at_all, *(sum(v >= limit - TOLERANCE for v in improvements) for limit in THRESHOLDS)


def compare_classes(ours: Scores, theirs: Scores) -> Record:
    """Classes of ours better than theirs, in two readings of "%", of those scored in both."""
    pairs = [(ap, theirs[label]) for label, ap in ours.items() if label in theirs]
    return {
        "classes": len(pairs),
        "relative": count_better([relative_improvement(*pair) for pair in pairs]),
        "absolute": count_better([ap - base for ap, base in pairs]),
    }


def class_wise_rows(aps: Mapping[str, Scores], headline: str) -> list[Record]:
    """The paper's three pairs; without attention the headline is the joint model: one pair."""
    pairs = [("joint-none", "yamnet-projection", paper.JOINT_OVER_PROJECTION)]
    if headline != "joint-none":
        pairs.append((headline, "yamnet-projection", paper.ATTENTION_OVER_PROJECTION))
        pairs.append((headline, "joint-none", paper.ATTENTION_OVER_JOINT))
    return [
        {"names": (ours, theirs), "paper": stated, **compare_classes(aps[ours], aps[theirs])}
        for ours, theirs, stated in pairs
    ]


def changes(ours: Scores, theirs: Scores) -> dict[str, Sequence[Record]]:
    """The classes that ours improves and hurts most against theirs; equal ones by name."""
    rows = [
        {"label": label, "ours": ap, "theirs": theirs[label], "change": ap - theirs[label]}
        for label, ap in ours.items()
        if label in theirs
    ]
    better = [row for row in rows if row["change"] > TOLERANCE]
    worse = [row for row in rows if row["change"] < -TOLERANCE]
    better.sort(key=lambda row: (-row["change"], row["label"]))
    worse.sort(key=lambda row: (row["change"], row["label"]))
    return {"improved": better[:MOST], "hurt": worse[:MOST]}


def class_rows(measured: Measured, aps: Mapping[str, Scores], headline: str) -> list[Record]:
    """One row a class: evaluation clips with it, training clips with it, AP of every variant."""
    return [
        {
            "label": row["label"],
            "positives": number(row["positives"]),
            "train_clips": number(row["train_clips"]),
            "APs": {name: aps[name].get(row["label"]) for name in aps},
        }
        for row in measured.classes[headline]
    ]


def worst_classes(rows: Sequence[Record], headline: str, most: int = 5) -> list[Record]:
    """The classes with the lowest AP under the headline variant."""
    known = [row for row in rows if row["APs"][headline] is not None]
    return sorted(known, key=lambda row: (row["APs"][headline], row["label"]))[:most]
