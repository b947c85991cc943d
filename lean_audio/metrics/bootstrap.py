"""How sure a difference of mAP is: a paired bootstrap over clips."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

DRAWS_SEED = 1  # of the resamples that all models share, so that any two can be paired
DECIMALS = 6
BLOCK = 50  # resamples at a time: bounds the memory to BLOCK x clips


def map_drop_interval(
    targets: np.ndarray, reference: np.ndarray, other: np.ndarray, resamples: int, seed: int
) -> tuple[float, float] | None:
    """The 95 % interval of mAP(reference) - mAP(other); None where no clip has a label.

    targets: (clips, classes) 0/1; reference, other: (clips, classes) scores. Clips are drawn with
    replacement, the same ones for both; a class without positives among them is left out.
    """
    if not targets.any():
        return None
    drops = [
        weighted_map(targets, reference, weights) - weighted_map(targets, other, weights)
        for weights in draw_clips(len(targets), resamples, seed)
    ]
    low, high = np.nanpercentile(np.concatenate(drops), [2.5, 97.5])
    return float(low), float(high)


def draw_clips(clips: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of (<= BLOCK, clips): how often each clip is drawn, with replacement."""
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, BLOCK):
        yield rng.multinomial(clips, np.full(clips, 1 / clips), size=min(BLOCK, resamples - start))


def resampled_map(targets: np.ndarray, scores: np.ndarray, resamples: int) -> pd.DataFrame:
    """mAP: one row a resample of the clips, the same for every model; empty without labels."""
    if not targets.any():
        return pd.DataFrame({"mAP": []})
    blocks = draw_clips(len(targets), resamples, DRAWS_SEED)
    found = [weighted_map(targets, scores, weights) for weights in blocks]
    return pd.DataFrame({"mAP": np.concatenate(found).round(DECIMALS)})


def weighted_map(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(resamples,) mAP when clip i counts weights[:, i] times; NaN if no class has positives."""
    scored = np.flatnonzero(targets.any(axis=0))
    precisions = np.array([_weighted_ap(targets[:, c], scores[:, c], weights) for c in scored])
    known = ~np.isnan(precisions)
    with np.errstate(invalid="ignore"):
        return np.where(known, precisions, 0.0).sum(axis=0) / known.sum(axis=0)


def _weighted_ap(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
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
