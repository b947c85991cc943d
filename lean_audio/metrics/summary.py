"""Multi-label metrics over clips; a class without positives is left out and counted (paper, IV)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri
from sklearn.metrics import (
    average_precision_score,
    label_ranking_average_precision_score,
    roc_auc_score,
)

from lean_audio.metrics.average_precision import mean_average_precision


@dataclass(frozen=True)
class Evaluation:
    """summary: one number a metric; classes: one row a class (label, AP, AUC, positives)."""

    summary: dict[str, float | int | None]
    classes: pd.DataFrame


def evaluate_scores(targets: np.ndarray, scores: np.ndarray, labels: tuple[str, ...]) -> Evaluation:
    """targets: (clips, classes) 0/1; scores: (clips, classes) in [0, 1]."""
    classes = per_class(targets, scores, labels)
    scored = (classes["positives"] > 0).to_numpy()
    mean_auc = _mean(classes["AUC"])
    d_primes = [
        d_prime(auc, positives, len(targets) - positives)
        for auc, positives in zip(classes["AUC"], classes["positives"], strict=True)
        if not np.isnan(auc)
    ]
    summary = {
        "mAP": _mean([mean_average_precision(targets, scores)]),
        "mAUC": mean_auc,
        "d_prime": None if mean_auc is None else d_prime(mean_auc, len(targets), len(targets)),
        "d_prime_per_class": _mean(d_primes),
        "micro_AP": _micro_ap(targets[:, scored], scores[:, scored]),
        "lwlrap": lwlrap(targets, scores),
        "clips": len(targets),
        "classes_scored": int(scored.sum()),
        "classes_without_positives": int((~scored).sum()),
    }
    return Evaluation(summary, classes)


def per_class(targets: np.ndarray, scores: np.ndarray, labels: tuple[str, ...]) -> pd.DataFrame:
    """label, AP, AUC, positives; NaN where a class has no positives (AUC: or no negatives)."""
    rows = [
        (label, *_class_metrics(targets[:, index], scores[:, index]), targets[:, index].sum())
        for index, label in enumerate(labels)
    ]
    return pd.DataFrame(rows, columns=["label", "AP", "AUC", "positives"])


def d_prime(auc: float, positives: int, negatives: int) -> float:
    """sqrt(2) * Phi^-1(AUC), the AUC kept half a step off 0 and 1, where d' would be infinite.

    One step is one positive-negative pair in the wrong order: 1 / (positives * negatives).
    """
    half_step = 0.5 / max(positives * negatives, 1)
    return float(np.sqrt(2) * ndtri(np.clip(auc, half_step, 1 - half_step)))


def lwlrap(targets: np.ndarray, scores: np.ndarray) -> float | None:
    """Label-weighted label-ranking average precision: each positive label weighs the same."""
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
