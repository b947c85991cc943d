"""Accuracy of single-label sets: by hand, against scikit-learn, and absent for all others."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from lean_audio.metrics.accuracy import accuracy
from lean_audio.metrics.evaluate import evaluate


def test_by_hand():
    targets = np.eye(3, dtype=np.uint8)[[0, 1, 2, 2]]
    scores = np.array([[0.9, 0.1, 0.2], [0.3, 0.2, 0.1], [0, 0, 0.1], [0.6, 0.6, 0.7]])
    assert accuracy(targets, scores, 50)["accuracy"] == 0.75


def test_as_scikit_learn_and_its_interval_is_that_of_a_proportion(params):
    rng = np.random.default_rng(1)
    truth, scores = rng.integers(5, size=400), rng.random((400, 5))
    scores[np.arange(400), truth] += 0.5
    targets = np.eye(5, dtype=np.uint8)[truth]
    settings = params.evaluate.model_copy(update={"resamples": 2000, "curve_classes": 2})
    found = evaluate(targets, scores, list("abcde"), settings).metrics
    rate = accuracy_score(truth, scores.argmax(axis=1))
    assert found["accuracy"] == pytest.approx(rate)
    half = 1.96 * np.sqrt(rate * (1 - rate) / 400)
    assert found["accuracy_low"] == pytest.approx(rate - half, abs=0.006)
    assert found["accuracy_high"] == pytest.approx(rate + half, abs=0.006)


@pytest.mark.parametrize("odd", [[0, 0], [1, 1]])
def test_a_clip_without_one_label_has_no_right_answer(params, odd):
    targets = np.array([[1, 0], [0, 1], odd], np.uint8)
    assert accuracy(targets, np.ones((3, 2)), 50) == {}
    found = evaluate(targets, np.full((3, 2), 0.5), ["a", "b"], params.evaluate)
    assert "accuracy" not in found.metrics
