"""Fit thresholds and calibration per class on validation clips."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve

UNDECIDED = 0.5  # threshold of a class without positive validation clips
CLOSEST = 1e-6  # scores are kept this far from 0 and 1 before the logit is taken
FLOOR = 0.25  # of the threshold that is best for all classes together


@dataclass(frozen=True)
class Thresholds:
    """Scores from which labels are assigned.

    values: (classes,) float32; floor: lowest threshold of a class with few positives, None if no
    class has a positive; floored: (classes,) bool, which thresholds were raised to the floor.
    """

    values: np.ndarray
    floor: float | None
    floored: np.ndarray


def best_thresholds(targets: np.ndarray, scores: np.ndarray, few: int) -> Thresholds:
    """Find the threshold of each class that gives the highest F1.

    It is halfway between two scores, so that neither rounding nor another processor moves a clip
    across it. The best threshold of two or three positives may be next to nothing, and would then
    call the label for any sound: a class with fewer positives than `few` gets no threshold below
    FLOOR times the threshold that gives the highest F1 for all classes together.

    Parameters
    ----------
    targets
        (clips, classes) 0/1.
    scores
        (clips, classes) float32 in [0, 1], of the file that will use the thresholds.
    few
        Number of positives from which a class has a threshold of its own, however low.

    Returns
    -------
    Thresholds
        A class without positives has UNDECIDED.
    """
    pairs = zip(targets.T, scores.T, strict=True)
    own = np.array([best_threshold(*pair) for pair in pairs], np.float32)
    positives = targets.sum(axis=0)
    if not targets.any():
        return Thresholds(own, None, np.zeros(len(own), bool))
    floor = np.float32(FLOOR * best_threshold(targets.ravel(), scores.ravel()))
    floored = (positives > 0) & (positives < few) & (own < floor)
    return Thresholds(np.where(floored, floor, own), float(floor), floored)


def best_threshold(targets: np.ndarray, scores: np.ndarray) -> float:
    """Return the threshold with the highest F1, halfway down to the next lower score.

    targets: (clips,) 0/1; scores: (clips,) float32. UNDECIDED without positives.
    """
    if not targets.any():
        return UNDECIDED
    precision, recall, thresholds = precision_recall_curve(targets, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(np.argmax(f1[:-1]))
    score, below = thresholds[best], thresholds[best - 1] if best else np.float32(0)
    halfway = np.float32((float(score) + float(below)) / 2)
    return float(halfway if halfway > below else score)  # neighbours have nothing between them


def platt(targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit Platt's calibration: probability = sigmoid(slope * logit(score) + intercept).

    The slope has scikit-learn's default L2 penalty, which Platt's own method has not. With few
    positives, and scores that separate them, the fit without a penalty has no limit; on the real
    sounds the penalized fit is better calibrated on the evaluation clips.

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
