"""Accuracy, where it has a meaning: every clip has exactly one label."""

import numpy as np

from lean_audio.metrics.bootstrap import draw_clips


def accuracy(targets: np.ndarray, scores: np.ndarray, resamples: int) -> dict[str, float]:
    """Return the fraction of clips whose best-scored label is theirs, and its 95 % interval.

    targets: (clips, classes) 0/1; scores: (clips, classes). Empty unless every clip has exactly one
    label: otherwise no single answer is right. The interval is that of a bootstrap over clips, with
    the draws of bootstrap.resampled_map.
    """
    if not len(targets) or (targets.sum(axis=1) != 1).any():
        return {}
    right = targets[np.arange(len(targets)), scores.argmax(axis=1)].astype(float)
    drawn = [weights @ right / len(right) for weights in draw_clips(len(right), resamples)]
    low, high = np.percentile(np.concatenate(drawn), [2.5, 97.5])
    return {
        "accuracy": float(right.mean()),
        "accuracy_low": float(low),
        "accuracy_high": float(high),
    }
