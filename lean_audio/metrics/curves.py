"""Curves of a model's scores: precision against recall, and reliability."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve

from lean_audio.errors import LeanError, join_first

MAX_POINTS = 200  # per class's curve: more would not show in a picture
BINS = 10  # in the reliability table, equally wide from score 0 to 1


def curve_labels(
    chosen: int | Sequence[str], targets: np.ndarray, labels: Sequence[str]
) -> list[str]:
    """Select the classes whose precision-recall curves are stored.

    The selection does not depend on scores, so all models get the same classes.

    Parameters
    ----------
    chosen
        Labels, or the number of classes with the most positives; ties follow the vocabulary.
    targets
        (clips, classes) 0/1.
    labels
        Of the classes.

    Raises
    ------
    LeanError
        If `chosen` names a label that is not among `labels`.
    """
    if isinstance(chosen, int):
        positives = targets.sum(axis=0).tolist()
        frequent = sorted(range(len(labels)), key=lambda index: -positives[index])  # stable
        return [labels[index] for index in frequent[:chosen] if positives[index]]
    if unknown := [label for label in chosen if label not in labels]:
        raise LeanError(
            f"evaluate.curve_classes: {unknown[0]!r} is not one of {join_first(labels)}"
        )
    return list(dict.fromkeys(chosen))


def precision_recall(
    targets: np.ndarray, scores: np.ndarray, labels: Sequence[str], shown: Sequence[str]
) -> pd.DataFrame:
    """Tabulate the operating points of some classes, by rising recall.

    Parameters
    ----------
    targets
        (clips, classes) 0/1.
    scores
        (clips, classes).
    labels
        Of the classes.
    shown
        Labels to tabulate.

    Returns
    -------
    pandas.DataFrame
        Columns label, recall and precision; no row for a class without positives.
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
    """Return recall and precision, (points, 2), at each threshold that finds one more clip.

    Between two points recall does not change and precision only falls. At most MAX_POINTS are
    returned. targets, scores: (clips,).
    """
    if not targets.any():
        return np.empty((0, 2))
    precision, recall, _ = precision_recall_curve(targets, scores)
    # by rising recall; scikit-learn starts with (0, 1), which no threshold gives
    points = np.stack([recall, precision], axis=1)[::-1]
    rising = points[1:][np.diff(points[:, 0]) > 0]
    kept = np.linspace(0, len(rising) - 1, min(len(rising), MAX_POINTS))
    return rising[np.rint(kept).astype(int)]


def reliability(targets: np.ndarray, scores: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """Tabulate how often scores are right: are 30 % of the pairs scored 0.3 positive?

    Parameters
    ----------
    targets
        (clips, classes) 0/1.
    scores
        (clips, classes) in [0, 1].
    bins
        Number of bins, equally wide.

    Returns
    -------
    pandas.DataFrame
        One row per bin [low, high), the last one closed: low, high, number of (clip, class) pairs
        of classes with positives, mean_score, and positive_share, the fraction of pairs that are
        positive. The last two are NaN for an empty bin.
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
