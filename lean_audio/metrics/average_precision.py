"""Average precision with NumPy alone, for training and for the bootstrap, on a light import.

The evaluation itself uses scikit-learn's; a test holds this one to it.
"""

import numpy as np


def mean_average_precision(targets: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean AP over the classes with positives; NaN if there is none.

    targets: (clips, classes) 0/1; scores: (clips, classes).
    """
    return float(weighted_map(targets, scores, np.ones((1, len(targets)), np.int64))[0])


def weighted_map(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mAP of several weightings of the clips.

    Parameters
    ----------
    targets
        (clips, classes) 0/1.
    scores
        (clips, classes).
    weights
        (weightings, clips): clip i counts weights[:, i] times.

    Returns
    -------
    numpy.ndarray
        (weightings,), NaN where no class has positives.
    """
    scored = np.flatnonzero(targets.any(axis=0))
    found = [weighted_ap(targets[:, c], scores[:, c], weights) for c in scored]
    precisions = np.reshape(found, (len(scored), len(weights)))  # even without any class
    known = ~np.isnan(precisions)
    with np.errstate(invalid="ignore"):
        return np.where(known, precisions, 0.0).sum(axis=0) / known.sum(axis=0)


def weighted_ap(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return one class's AP under several weightings, see weighted_map; NaN without positives."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=np.nan))  # the last of each run of ties
    hits = np.flatnonzero(targets[order])
    end = ends[np.searchsorted(ends, hits)]  # of each hit's run
    called = np.cumsum(weights[:, order], axis=1)[:, end]
    gained = weights[:, order[hits]]
    true = np.cumsum(gained, axis=1)[:, np.searchsorted(hits, end, side="right") - 1]
    with np.errstate(invalid="ignore"):
        precision = np.where(called > 0, true / np.maximum(called, 1), 0.0)
        return (gained * precision).sum(axis=1) / gained.sum(axis=1)
