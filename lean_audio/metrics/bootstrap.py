"""Confidence intervals by a bootstrap over clips, paired for the difference of two models."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lean_audio.metrics.average_precision import (
    mean_average_precision,
    weighted_ap,
    weighted_map,
)

SEED = 1  # of the draws that all models share, so that any two can be paired
NORMAL_975 = 1.959964  # quantile of the normal distribution
BLOCK = 50  # resamples at a time: bounds the memory to BLOCK x clips


def map_drop_interval(
    targets: np.ndarray, reference: np.ndarray, other: np.ndarray, resamples: int
) -> tuple[float, float] | None:
    """Return the 95 % interval of mAP(reference) - mAP(other); None if no clip has a label.

    Its width is that of a paired bootstrap. It is centred on the measured drop, because a clip
    drawn twice makes rare classes look easier for both.

    targets: (clips, classes) 0/1; reference, other: (clips, classes) scores. Clips are drawn with
    replacement, the same ones for both; a class without positives among them is left out.
    """
    if not targets.any():
        return None
    drops = [
        weighted_map(targets, reference, weights) - weighted_map(targets, other, weights)
        for weights in draw_clips(len(targets), resamples)
    ]
    drop = mean_average_precision(targets, reference) - mean_average_precision(targets, other)
    half = NORMAL_975 * float(np.nanstd(np.concatenate(drops), ddof=1))
    return drop - half, drop + half


def draw_clips(clips: int, resamples: int) -> Iterator[np.ndarray]:
    """Yield blocks of (<= BLOCK, clips): how often each clip is drawn, with replacement."""
    rng = np.random.default_rng(SEED)
    for start in range(0, resamples, BLOCK):
        yield rng.multinomial(clips, np.full(clips, 1 / clips), size=min(BLOCK, resamples - start))


def resampled_map(targets: np.ndarray, scores: np.ndarray, resamples: int) -> pd.DataFrame:
    """Return the mAP of each draw of the clips, the same draws for every model.

    Empty if no clip has a label.
    """
    if not targets.any():
        return pd.DataFrame({"mAP": []})
    blocks = draw_clips(len(targets), resamples)
    found = [weighted_map(targets, scores, weights) for weights in blocks]
    return pd.DataFrame({"mAP": np.concatenate(found)})


def class_intervals(targets: np.ndarray, scores: np.ndarray, resamples: int) -> pd.DataFrame:
    """Return the 95 % interval of each class's AP: low and high, NaN for one without positives.

    targets: (clips, classes) 0/1; scores: (clips, classes). Draws without a positive do not count.
    """
    intervals = np.full((targets.shape[1], 2), np.nan)
    for label in np.flatnonzero(targets.any(axis=0)):
        blocks = draw_clips(len(targets), resamples)
        drawn = [weighted_ap(targets[:, label], scores[:, label], block) for block in blocks]
        intervals[label] = np.nanpercentile(np.concatenate(drawn), [2.5, 97.5])
    return pd.DataFrame(intervals, columns=["low", "high"])
