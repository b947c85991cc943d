"""The paired bootstrap agrees with scikit-learn's weights and knows what no difference is."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from lean_audio.metrics.bootstrap import map_drop_interval, weighted_map


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    targets = (rng.random((80, 5)) < 0.3).astype(np.uint8)
    scores = np.round(0.4 * targets + rng.random((80, 5)), 1)  # with many ties
    return targets, scores


def test_weighted_map_is_scikit_learns_with_sample_weights(scored):
    targets, scores = scored
    weights = np.random.default_rng(4).multinomial(80, np.full(80, 1 / 80), size=7)
    expected = [
        np.mean(
            [
                average_precision_score(target, score, sample_weight=weight)
                for target, score in zip(targets.T, scores.T, strict=True)
            ]
        )
        for weight in weights
    ]
    assert weighted_map(targets, scores, weights) == pytest.approx(expected)


def test_a_class_that_a_resample_leaves_without_positives_is_left_out():
    targets = np.array([[1, 0], [0, 1], [0, 0]], np.uint8)
    scores = np.array([[0.9, 0.1], [0.2, 0.3], [0.1, 0.8]])
    (value,) = weighted_map(targets, scores, np.array([[2, 0, 1]]))
    assert value == 1.0


def test_equal_scores_lose_nothing_and_worse_scores_lose_for_sure(scored):
    targets, scores = scored
    assert map_drop_interval(targets, scores, scores, 100, 1) == (0.0, 0.0)
    noise = np.random.default_rng(5).random(scores.shape)
    low, high = map_drop_interval(targets, targets + 0.0, noise, 200, 1)
    assert 0 < low < high <= 1


def test_without_labels_there_is_no_interval_and_few_labels_do_not_make_it_nan():
    targets = np.zeros((10, 2), np.uint8)
    scores = np.random.default_rng(0).random((10, 2))
    assert map_drop_interval(targets, scores, scores, 20, 1) is None
    targets[0] = 1
    interval = map_drop_interval(targets, scores, 1 - scores, 200, 1)
    assert interval and np.isfinite(interval).all()


def test_the_interval_depends_on_the_seed_alone(scored):
    targets, scores = scored
    other = scores + np.random.default_rng(6).normal(0, 0.1, scores.shape)
    first = map_drop_interval(targets, scores, other, 120, 1)
    assert map_drop_interval(targets, scores, other, 120, 1) == first
    assert map_drop_interval(targets, scores, other, 120, 2) != first
    assert first[0] < first[1]
