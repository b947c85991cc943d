"""Average precision with NumPy alone: what training takes after every epoch, on a light import."""

import numpy as np


def mean_average_precision(targets: np.ndarray, scores: np.ndarray) -> float:
    """Mean AP over the classes with positives; NaN if there is no such class."""
    scored = np.flatnonzero(targets.any(axis=0))
    if not scored.size:
        return np.nan
    return float(np.mean([average_precision(targets[:, c], scores[:, c]) for c in scored]))


def average_precision(targets: np.ndarray, scores: np.ndarray) -> float:
    """scikit-learn's average_precision_score of one class with positives, to the last bit.

    Without its checks: training takes the mAP after every epoch, and they were most of the time.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=np.nan))  # the last of each run of ties
    true = np.cumsum(targets[order], dtype=np.float64)[ends]
    precision, recall = true / (1 + ends), true / true[-1]
    gained = np.diff(recall[::-1], append=0.0)  # from the lowest threshold up, as it sums
    return max(0.0, float(-np.sum(gained * precision[::-1])))
