"""What a variant's scores are like beyond one number: precision over recall, and reliability."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve

from lean_audio.errors import LeanError, listed

MOST_POINTS = 200  # of one class's curve: more than a picture can show


def curve_labels(
    chosen: int | Sequence[str], targets: np.ndarray, labels: Sequence[str]
) -> list[str]:
    """The classes whose curves are kept: the named ones, or so many with the most positives.

    targets: (clips, classes) 0/1. It depends on no score, so all variants have the same classes;
    ties follow the vocabulary.
    Raises LeanError for a name that is not among `labels`.
    """
    if isinstance(chosen, int):
        positives = targets.sum(axis=0).tolist()
        frequent = sorted(range(len(labels)), key=lambda index: -positives[index])  # stable
        return [labels[index] for index in frequent[:chosen] if positives[index]]
    if unknown := [label for label in chosen if label not in labels]:
        raise LeanError(f"evaluate.curve_classes: {unknown[0]!r} is not one of {listed(labels)}")
    return list(dict.fromkeys(chosen))


def precision_recall(
    targets: np.ndarray, scores: np.ndarray, labels: Sequence[str], shown: Sequence[str]
) -> pd.DataFrame:
    """label, recall, precision: the operating points of the classes `shown`, by rising recall.

    targets, scores: (clips, classes); labels: of the classes. A class without positives has none.
    """
    rows = [
        (label, *point)
        for label in shown
        for point in operating_points(
            targets[:, labels.index(label)], scores[:, labels.index(label)]
        )
    ]
    return pd.DataFrame(rows, columns=["label", "recall", "precision"])


def operating_points(targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(points, 2) of recall and precision, one point where each threshold finds one more clip.

    targets, scores: (clips,). Between two points recall stands still and precision only falls.
    """
    if not targets.any():
        return np.empty((0, 2))
    precision, recall, _ = precision_recall_curve(targets, scores)
    points = np.stack([recall, precision], axis=1)[::-1]  # begins with (0, 1), which nothing scored
    rising = points[1:][np.diff(points[:, 0]) > 0]
    kept = np.linspace(0, len(rising) - 1, min(len(rising), MOST_POINTS))
    return rising[np.rint(kept).astype(int)]


def reliability(targets: np.ndarray, scores: np.ndarray, bins: int) -> pd.DataFrame:
    """low, high, pairs, mean_score, positive_share: whether a score of 0.3 is right in 30 %.

    targets, scores: (clips, classes). Counts (clip, class) pairs of the classes with positives in
    equal bins [low, high), the last with 1; a bin without pairs has NaN for its means.
    """
    scored = targets.any(axis=0)
    flat = scores[:, scored].ravel().astype(np.float64)
    edges = np.arange(bins + 1) / bins
    index = np.digitize(flat, edges[1:-1])
    pairs = np.bincount(index, minlength=bins)
    score_sums = np.bincount(index, flat, bins)
    positives = np.bincount(index, targets[:, scored].ravel(), bins)
    shared = np.where(pairs > 0, pairs, np.nan)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "pairs": pairs,
            "mean_score": score_sums / shared,
            "positive_share": positives / shared,
        }
    )
