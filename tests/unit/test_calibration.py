"""Thresholds and probabilities from validation scores."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from lean_audio.metrics.calibration import UNDECIDED, best_threshold, best_thresholds, platt
from lean_audio.metrics.f1 import mean_f1


def test_the_threshold_gives_the_highest_f1_of_all():
    rng = np.random.default_rng(0)
    targets = (rng.random((60, 3)) < 0.4).astype(np.uint8)
    scores = np.clip(0.3 * targets + rng.random((60, 3)) * 0.7, 0, 1).astype(np.float32)
    thresholds = best_thresholds(targets, scores, few=5)
    assert not thresholds.floored.any()
    for target, score, threshold in zip(targets.T, scores.T, thresholds.values, strict=True):
        best = max(f1_score(target, score >= candidate) for candidate in score)
        assert f1_score(target, score >= threshold) == pytest.approx(best)


def test_a_class_without_positives_has_a_neutral_threshold_and_keeps_its_scores():
    targets, scores = np.zeros((4, 1), np.uint8), np.array([[0.1], [0.2], [0.3], [0.9]])
    thresholds = best_thresholds(targets, scores, few=5)
    assert (thresholds.values.tolist(), thresholds.floor) == ([UNDECIDED], None)
    slopes, intercepts = platt(targets, scores)
    assert (slopes.tolist(), intercepts.tolist()) == ([1.0], [0.0])


def test_platt_brings_overconfident_scores_to_the_observed_frequency():
    rng = np.random.default_rng(1)
    truth = rng.random((4000, 1))
    targets = (rng.random((4000, 1)) < truth).astype(np.uint8)
    logits = 3 * np.log(truth / (1 - truth))  # three times too sure
    slopes, intercepts = platt(targets, 1 / (1 + np.exp(-logits)))
    assert slopes[0] == pytest.approx(1 / 3, rel=0.1)
    assert intercepts[0] == pytest.approx(0, abs=0.15)


def test_the_threshold_is_halfway_between_the_last_clip_called_and_the_next():
    scores = np.array([0.9, 0.8, 0.3, 0.1], np.float32)
    assert best_threshold(np.array([1, 1, 0, 0]), scores) == pytest.approx(0.55)
    assert best_threshold(np.array([1, 1, 1, 1]), scores) == pytest.approx(0.05)  # next is 0
    assert best_threshold(np.array([1, 0, 0, 0]), scores) == pytest.approx(0.85)


def test_six_digits_and_the_rounding_of_another_processor_lose_no_clip():
    """What was wrong: the threshold was the score itself, half of the time rounded up."""
    rng = np.random.default_rng(3)
    targets = np.zeros((200, 50), np.uint8)
    targets[:6] = 1
    scores = (0.5 * targets + 0.4 * rng.random((200, 50))).astype(np.float32)
    thresholds = best_thresholds(targets, scores, few=5).values
    written = np.array([float(f"{value:.9g}") for value in thresholds], np.float32)
    np.testing.assert_array_equal(written, thresholds)
    jitter = rng.uniform(-2e-6, 2e-6, scores.shape).astype(np.float32)
    assert mean_f1(targets, scores, written) == mean_f1(targets, scores + jitter, written) == 1
    six_digits = np.array([float(f"{value:.6g}") for value in thresholds], np.float32)
    assert mean_f1(targets, scores, six_digits) == 1


def test_neighbouring_scores_have_no_score_between_them():
    low = np.float32(0.3)
    high = np.nextafter(low, np.float32(1))
    threshold = best_threshold(np.array([1, 0]), np.array([high, low]))
    assert low < np.float32(threshold) <= high


def test_a_label_with_few_positives_gets_no_threshold_next_to_nothing():
    """Two airplanes at .0001 would otherwise make everything an airplane (field case A8)."""
    targets = np.zeros((100, 2), np.uint8)
    targets[:40, 0] = targets[:2, 1] = 1
    scores = np.full((100, 2), 0.00005, np.float32)
    scores[:40, 0], scores[40:, 0], scores[:2, 1] = 0.8, 0.001, 0.0002
    thresholds = best_thresholds(targets, scores, few=5)
    together = best_threshold(targets.ravel(), scores.ravel())
    assert together == pytest.approx(0.4, abs=0.001)
    assert thresholds.floor == pytest.approx(together / 4)
    assert thresholds.floored.tolist() == [False, True]
    assert thresholds.values[1] == np.float32(thresholds.floor)
    own = best_thresholds(targets, scores, few=2)
    assert not own.floored.any()
    assert own.values[1] == pytest.approx(0.000125)


def test_a_label_with_few_positives_keeps_a_threshold_above_the_floor():
    targets = np.zeros((100, 2), np.uint8)
    targets[:40, 0] = targets[:2, 1] = 1
    scores = np.full((100, 2), 0.01, np.float32)
    scores[:40, 0], scores[:2, 1] = 0.8, 0.6
    assert not best_thresholds(targets, scores, few=5).floored.any()


def test_f1_is_the_mean_over_labels_with_positives():
    targets = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]])
    scores = np.array([[0.9, 0.9, 0.9], [0.1, 0.9, 0.1], [0.1, 0.1, 0.1]])
    # first: 1 of 2 found, nothing wrong: 2/3; second: found, one wrong: 2/3; third: no positive
    assert mean_f1(targets, scores, np.full(3, 0.5)) == pytest.approx(2 / 3)
    assert np.isnan(mean_f1(np.zeros((3, 3)), scores, np.full(3, 0.5)))
