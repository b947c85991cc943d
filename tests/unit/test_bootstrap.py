"""The paired bootstrap: the same draws for all, certain of a clear loss, no loss among equals."""

import numpy as np
import pytest

from lean_audio.metrics.average_precision import mean_average_precision, weighted_map
from lean_audio.metrics.bootstrap import BLOCK, draw_clips, map_drop_interval, resampled_map


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    targets = (rng.random((80, 5)) < 0.3).astype(np.uint8)
    scores = np.round(0.4 * targets + rng.random((80, 5)), 1)  # with many ties
    return targets, scores


@pytest.mark.parametrize("resamples", [1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_every_draw_has_as_many_clips_as_there_are(resamples):
    draws = np.concatenate(list(draw_clips(30, resamples)))
    assert draws.shape == (resamples, 30)
    assert (draws.sum(axis=1) == 30).all()


def test_equal_scores_lose_nothing_and_worse_scores_lose_for_sure(scored):
    targets, scores = scored
    assert map_drop_interval(targets, scores, scores, 100) == (0.0, 0.0)
    noise = np.random.default_rng(5).random(scores.shape)
    low, high = map_drop_interval(targets, targets + 0.0, noise, 200)
    assert 0 < low < high <= 1


def test_without_labels_there_is_no_interval_and_few_labels_do_not_make_it_nan():
    targets = np.zeros((10, 2), np.uint8)
    scores = np.random.default_rng(0).random((10, 2))
    assert map_drop_interval(targets, scores, scores, 20) is None
    assert resampled_map(targets, scores, 20).empty
    targets[0] = 1
    interval = map_drop_interval(targets, scores, 1 - scores, 200)
    assert interval and np.isfinite(interval).all()


def test_the_interval_is_centred_on_the_measured_drop(scored):
    """A raw percentile would not be: a clip drawn twice makes rare classes look easier."""
    targets, scores = scored
    other = scores + np.random.default_rng(6).normal(0, 0.3, scores.shape)
    drop = mean_average_precision(targets, scores) - mean_average_precision(targets, other)
    low, high = map_drop_interval(targets, scores, other, 120)
    assert (low + high) / 2 == pytest.approx(drop, abs=1e-9)


def test_the_interval_is_the_same_every_time(scored):
    targets, scores = scored
    other = scores + np.random.default_rng(6).normal(0, 0.1, scores.shape)
    first = map_drop_interval(targets, scores, other, 120)
    assert map_drop_interval(targets, scores, other, 120) == first
    assert first[0] < first[1]


def test_any_two_models_are_resampled_with_the_same_draws(scored):
    """So that the difference of two tables is a paired bootstrap."""
    targets, scores = scored
    other = scores + np.random.default_rng(6).normal(0, 0.1, scores.shape)
    first, second = (resampled_map(targets, s, 120)["mAP"] for s in (scores, other))
    half = 1.96 * (first - second).std(ddof=1)
    low, high = map_drop_interval(targets, scores, other, 120)
    assert (high - low) / 2 == pytest.approx(half, rel=1e-3)
    drawn = next(draw_clips(len(targets), 1))
    assert first[0] == pytest.approx(weighted_map(targets, scores, drawn)[0], abs=1e-6)
    repeated = np.repeat(np.arange(len(targets)), drawn[0])
    by_hand = mean_average_precision(targets[repeated], scores[repeated])
    assert first[0] == pytest.approx(by_hand, abs=1e-6)
