"""Thresholds and probabilities from validation scores."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from lean_audio.metrics.calibration import UNDECIDED, best_thresholds, platt


def test_the_threshold_gives_the_highest_f1_of_all():
    rng = np.random.default_rng(0)
    targets = (rng.random((60, 3)) < 0.4).astype(np.uint8)
    scores = np.clip(0.3 * targets + rng.random((60, 3)) * 0.7, 0, 1)
    for target, score, threshold in zip(
        targets.T, scores.T, best_thresholds(targets, scores), strict=True
    ):
        best = max(f1_score(target, score >= candidate) for candidate in score)
        assert f1_score(target, score >= threshold) == pytest.approx(best)


def test_a_class_without_positives_has_a_neutral_threshold_and_keeps_its_scores():
    targets, scores = np.zeros((4, 1), np.uint8), np.array([[0.1], [0.2], [0.3], [0.9]])
    assert best_thresholds(targets, scores).tolist() == [UNDECIDED]
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
