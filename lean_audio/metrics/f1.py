"""F1 of decisions by threshold."""

import numpy as np


def mean_f1(targets: np.ndarray, scores: np.ndarray, thresholds: np.ndarray) -> float:
    """Return F1 averaged over the classes with positives, NaN if there is none.

    targets: (clips, classes) 0/1; scores: (clips, classes); thresholds: (classes,).
    """
    assigned, positive = scores >= thresholds, targets > 0
    right = (assigned & positive).sum(axis=0)
    counted = assigned.sum(axis=0) + positive.sum(axis=0)
    f1 = (2 * right / np.maximum(counted, 1))[positive.any(axis=0)]
    return float(f1.mean()) if len(f1) else np.nan
