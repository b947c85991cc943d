"""Multi-label metrics over clips (paper, IV); a class without positives is excluded and counted."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri
from sklearn.metrics import (
    average_precision_score,
    label_ranking_average_precision_score,
    roc_auc_score,
)


@dataclass(frozen=True)
class Summary:
    """summary: one number per metric; classes: one row per class (label, AP, AUC, positives)."""

    summary: dict[str, float | int | None]
    classes: pd.DataFrame


def evaluate_scores(targets: np.ndarray, scores: np.ndarray, labels: tuple[str, ...]) -> Summary:
    """Compute the metrics of clip scores.

    Parameters
    ----------
    targets
        (clips, classes) 0/1.
    scores
        (clips, classes) in [0, 1].
    labels
        Of the classes.

    Returns
    -------
    Summary
        Macro means (mAP, mAUC, d_prime_per_class) are over classes with positives, and None if
        there is none. Two readings of d' are in use: `d_prime` is that of the mean AUC, which fits
        the paper's table; `d_prime_per_class` is the mean over classes, as HEAR defines it.
    """
    classes = per_class(targets, scores, labels)
    scored = (classes["positives"] > 0).to_numpy()
    mean_auc = _mean(classes["AUC"])
    d_primes = [
        d_prime(auc, positives, len(targets) - positives)
        for auc, positives in zip(classes["AUC"], classes["positives"], strict=True)
        if not np.isnan(auc)
    ]
    summary = {
        "mAP": _mean(classes["AP"]),
        "mAUC": mean_auc,
        "d_prime": None if mean_auc is None else d_prime(mean_auc, len(targets), len(targets)),
        "d_prime_per_class": _mean(d_primes),
        "micro_AP": _micro_ap(targets[:, scored], scores[:, scored]),
        "lwlrap": lwlrap(targets, scores),
        "clips": len(targets),
        "classes_scored": int(scored.sum()),
        "classes_without_positives": int((~scored).sum()),
    }
    return Summary(summary, classes)


def per_class(targets: np.ndarray, scores: np.ndarray, labels: tuple[str, ...]) -> pd.DataFrame:
    """Return label, AP, AUC, positives; NaN for a class without positives (AUC: or negatives)."""
    rows = [
        (label, *_class_metrics(targets[:, index], scores[:, index]), targets[:, index].sum())
        for index, label in enumerate(labels)
    ]
    return pd.DataFrame(rows, columns=["label", "AP", "AUC", "positives"])


def d_prime(auc: float, positives: int, negatives: int) -> float:
    """Compute d' = sqrt(2) * Phi^-1(AUC) (paper, IV).

    The AUC is kept half a step off 0 and 1, where d' would be infinite; a step is one
    positive-negative pair in the wrong order, 1 / (positives * negatives).
    """
    half_step = 0.5 / max(positives * negatives, 1)
    return float(np.sqrt(2) * ndtri(np.clip(auc, half_step, 1 - half_step)))


def lwlrap(targets: np.ndarray, scores: np.ndarray) -> float | None:
    """Compute label-weighted label-ranking average precision; None without a positive label."""
    counts = targets.sum(axis=1)
    if not counts.any():
        return None
    return float(label_ranking_average_precision_score(targets, scores, sample_weight=counts))


def _class_metrics(targets: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    if not targets.any():
        return np.nan, np.nan
    auc = np.nan if targets.all() else roc_auc_score(targets, scores)
    return float(average_precision_score(targets, scores)), float(auc)


def _micro_ap(targets: np.ndarray, scores: np.ndarray) -> float | None:
    if not targets.size:
        return None
    return float(average_precision_score(targets, scores, average="micro"))


def _mean(values) -> float | None:
    known = np.asarray(values, float)
    known = known[~np.isnan(known)]
    return float(known.mean()) if known.size else None
