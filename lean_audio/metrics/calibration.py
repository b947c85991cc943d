"""Fit thresholds and calibration per class on validation clips."""

import numpy as np
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve

UNDECIDED = 0.5  # threshold of a class without positive validation clips
CLOSEST = 1e-6  # scores are kept this far from 0 and 1 before the logit is taken


def best_thresholds(targets: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Find the threshold of each class that gives the highest F1.

    Parameters
    ----------
    targets
        (clips, classes) 0/1.
    scores
        (clips, classes) in [0, 1].

    Returns
    -------
    numpy.ndarray
        (classes,) lowest score at which the label is assigned; UNDECIDED without positives.
    """
    return np.array([_best_threshold(*pair) for pair in zip(targets.T, scores.T, strict=True)])


def _best_threshold(targets: np.ndarray, scores: np.ndarray) -> float:
    if not targets.any():
        return UNDECIDED
    precision, recall, thresholds = precision_recall_curve(targets, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[np.argmax(f1[:-1])])


def platt(targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit Platt's calibration: probability = sigmoid(slope * logit(score) + intercept).

    Parameters
    ----------
    targets
        (clips, classes) 0/1.
    scores
        (clips, classes) in [0, 1].

    Returns
    -------
    tuple of numpy.ndarray
        Slopes (classes,) and intercepts (classes,). A class without positives or without negatives
        keeps its scores: slope 1, intercept 0.
    """
    fits = [_platt(*pair) for pair in zip(targets.T, scores.T, strict=True)]
    slopes, intercepts = zip(*fits, strict=True)
    return np.array(slopes), np.array(intercepts)


def _platt(targets: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    if targets.all() or not targets.any():
        return 1.0, 0.0
    logits = logit(np.clip(scores.astype(np.float64), CLOSEST, 1 - CLOSEST))
    fit = LogisticRegression().fit(logits[:, None], targets)
    return float(fit.coef_[0, 0]), float(fit.intercept_[0])
