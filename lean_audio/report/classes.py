"""Class by class: how many improve, which most, and what each has to learn from."""

import math
from collections.abc import Mapping, Sequence

from lean_audio.report import paper
from lean_audio.report.inputs import Record, number
from lean_audio.report.measured import Measured

Scores = Mapping[str, float]  # average precision by class label

THRESHOLDS = (0.05, 0.10, 0.20)
TOLERANCE = 1e-12  # far above the rounding of a division, far below a real difference of two APs
LIMIT = 10  # classes listed as most improved and as most hurt; page.js.j2 reads it from the page


def scored(rows: Sequence[Record]) -> dict[str, float]:
    """Return average precision by label, for the classes with positives."""
    values = {row["label"]: number(row["AP"]) for row in rows}
    return {label: value for label, value in values.items() if value is not None}


def relative_improvement(ap: float, baseline: float) -> float:
    """Return ap / baseline - 1; infinite if anything beats a baseline of zero."""
    if baseline > 0:
        return ap / baseline - 1
    return math.inf if ap > 0 else 0.0


def count_better(improvements: Sequence[float]) -> tuple[int, ...]:
    """Count how many improve at all, and by at least each threshold; rounding decides none."""
    at_all = sum(value > TOLERANCE for value in improvements)
    return at_all, *(sum(v >= limit - TOLERANCE for v in improvements) for limit in THRESHOLDS)


def compare_classes(ours: Scores, theirs: Scores) -> Record:
    """Count the classes that improve, in two readings of "%", of those scored in both."""
    pairs = [(ap, theirs[label]) for label, ap in ours.items() if label in theirs]
    return {
        "classes": len(pairs),
        "relative": count_better([relative_improvement(*pair) for pair in pairs]),
        "absolute": count_better([ap - base for ap, base in pairs]),
    }


def class_wise_rows(aps: Mapping[str, Scores], headline: str) -> list[Record]:
    """Compare the paper's three pairs, as far as both models are there."""
    pairs = [("joint-none", "yamnet-projection", paper.JOINT_OVER_PROJECTION)]
    if headline.startswith("joint-") and headline != "joint-none":
        pairs.append((headline, "yamnet-projection", paper.ATTENTION_OVER_PROJECTION))
        pairs.append((headline, "joint-none", paper.ATTENTION_OVER_JOINT))
    return [
        {"names": (ours, theirs), "paper": stated, **compare_classes(aps[ours], aps[theirs])}
        for ours, theirs, stated in pairs
        if ours in aps and theirs in aps
    ]


def changes(ours: Scores, theirs: Scores) -> dict[str, Sequence[Record]]:
    """List the classes that improve and get worse most; equal ones by name."""
    rows = [
        {"label": label, "ours": ap, "theirs": theirs[label], "change": ap - theirs[label]}
        for label, ap in ours.items()
        if label in theirs
    ]
    better = [row for row in rows if row["change"] > TOLERANCE]
    worse = [row for row in rows if row["change"] < -TOLERANCE]
    better.sort(key=lambda row: (-row["change"], row["label"]))
    worse.sort(key=lambda row: (row["change"], row["label"]))
    return {"improved": better[:LIMIT], "hurt": worse[:LIMIT]}


def class_rows(measured: Measured, aps: Mapping[str, Scores], headline: str) -> list[Record]:
    """Return per class: evaluation clips, training clips, and the AP of every variant."""
    return [
        {
            "label": row["label"],
            "positives": number(row["positives"]),
            "train_clips": measured.train_clips[row["label"]],
            "APs": {name: aps[name].get(row["label"]) for name in aps},
        }
        for row in measured.classes[headline]
    ]


def worst_classes(rows: Sequence[Record], variant: str, limit: int = 5) -> list[Record]:
    """Return the classes with the lowest AP under a variant."""
    known = [row for row in rows if row["APs"][variant] is not None]
    return sorted(known, key=lambda row: (row["APs"][variant], row["label"]))[:limit]
