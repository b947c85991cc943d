"""The mAP that scores drawn at random are expected to reach."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def chance_ap(positives: int, clips: int) -> float:
    """Return the expected average precision of a random ranking.

    The clip at rank k is positive with probability p = positives / clips, and given that, the
    others among the first k are with (positives - 1) / (clips - 1). Summing the expected precision
    over the ranks gives (H + rest * (clips - H)) / clips, with the harmonic number H.
    """
    harmonic = float(np.sum(1 / np.arange(1, clips + 1)))
    rest = (positives - 1) / max(clips - 1, 1)
    return (harmonic + rest * (clips - harmonic)) / clips


def chance_map(positives: Sequence[int], clips: int) -> float | None:
    """Return the mean over the classes with positives; None if there is none.

    positives: of each class, among `clips` evaluation clips.
    """
    known = [chance_ap(count, clips) for count in positives if count > 0]
    return float(np.mean(known)) if known else None


def chance_of_classes(rows: Sequence[Mapping[str, Any]], clips: int) -> float | None:
    """Return `chance_map` of the rows of a table of classes, as stage evaluate writes it."""
    return chance_map([int(row["positives"]) for row in rows], clips)
