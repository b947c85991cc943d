"""Metrics against scikit-learn and against cases worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from lean_audio.metrics.average_precision import mean_average_precision, weighted_map
from lean_audio.metrics.summary import d_prime, evaluate_scores, lwlrap

LABELS = ("a", "b", "c")
# By hand, clips in the order of their scores. a: + - + -: AP (1/1 + 2/3) / 2, AUC 3/4.
# b: - + + -: AP (1/2 + 2/3) / 2, AUC 2/4. c has no positive clip.
TARGETS = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]], np.uint8)
SCORES = np.array([[0.9, 0.9, 0.1], [0.8, 0.8, 0.2], [0.7, 0.7, 0.3], [0.6, 0.6, 0.4]])


def random_case(seed: int, clips: int = 60, classes: int = 7):
    rng = np.random.default_rng(seed)
    targets = (rng.random((clips, classes)) < 0.3).astype(np.uint8)
    targets[:2] = [[1] * classes, [0] * classes]
    return targets, rng.random((clips, classes))


def test_hand_worked_case():
    result = evaluate_scores(TARGETS, SCORES, LABELS)
    classes = result.classes.set_index("label")
    assert classes["AP"]["a"] == pytest.approx(5 / 6)
    assert classes["AP"]["b"] == pytest.approx(7 / 12)
    assert classes["AUC"].tolist()[:2] == [0.75, 0.5]
    assert classes["positives"].tolist() == [2, 2, 0]
    assert result.summary["mAP"] == pytest.approx((5 / 6 + 7 / 12) / 2)
    assert result.summary["mAUC"] == pytest.approx(0.625)


def test_a_class_without_positives_is_left_out_and_counted():
    result = evaluate_scores(TARGETS, SCORES, LABELS)
    assert np.isnan(result.classes["AP"][2])
    assert np.isnan(result.classes["AUC"][2])
    assert result.summary["classes_scored"] == 2
    assert result.summary["classes_without_positives"] == 1
    assert result.summary["clips"] == 4


def test_the_papers_d_prime_follows_from_its_auc():
    """The paper's table: .944 -> 2.249 and .939 -> 2.192, up to its rounding of the AUC."""
    assert d_prime(0.944, 10_000, 10_000) == pytest.approx(2.249, abs=0.01)
    assert d_prime(0.939, 10_000, 10_000) == pytest.approx(2.192, abs=0.01)
    assert d_prime(0.5, 10, 10) == pytest.approx(0)


def test_the_two_readings_of_d_prime_differ():
    summary = evaluate_scores(TARGETS, SCORES, LABELS).summary
    assert summary["d_prime"] == pytest.approx(np.sqrt(2) * 0.31864, abs=1e-4)  # of .625
    assert summary["d_prime_per_class"] == pytest.approx(np.sqrt(2) * 0.67449 / 2, abs=1e-4)


def test_perfect_classes_have_a_finite_d_prime():
    summary = evaluate_scores(TARGETS, TARGETS.astype(float), LABELS).summary
    assert summary["mAUC"] == 1
    assert summary["d_prime_per_class"] == pytest.approx(d_prime(1 - 0.5 / 4, 2, 2))
    assert np.isfinite(summary["d_prime"])


def test_nothing_to_score_is_null_not_nan():
    summary = evaluate_scores(np.zeros((3, 3), np.uint8), SCORES[:3], LABELS).summary
    keys = ("mAP", "mAUC", "d_prime", "d_prime_per_class", "micro_AP", "lwlrap")
    assert all(summary[key] is None for key in keys)


@pytest.mark.parametrize("seed", range(5))
def test_means_are_scikit_learns(seed):
    targets, scores = random_case(seed)
    summary = evaluate_scores(targets, scores, tuple("abcdefg")).summary
    assert summary["mAP"] == pytest.approx(average_precision_score(targets, scores))
    assert summary["mAUC"] == pytest.approx(roc_auc_score(targets, scores))
    micro = average_precision_score(targets, scores, average="micro")
    assert summary["micro_AP"] == pytest.approx(micro)
    assert mean_average_precision(targets, scores) == pytest.approx(summary["mAP"])


@pytest.mark.parametrize("seed", range(3))
def test_lwlrap_is_its_definition(seed):
    """For every positive label: the share of positives among the labels ranked down to it."""
    targets, scores = random_case(seed)
    precisions = [
        targets[clip, scores[clip] >= scores[clip, label]].mean()
        for clip, label in np.argwhere(targets)
    ]
    assert lwlrap(targets, scores) == pytest.approx(np.mean(precisions))


@given(
    seed=st.integers(0, 10_000),
    clips=st.integers(2, 40),
    classes=st.integers(1, 5),
    levels=st.integers(1, 50),
)
def test_our_average_precision_is_scikit_learns(seed, clips, classes, levels):
    """With ties wherever there are fewer levels of the score than clips."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((clips, classes)) < 0.3).astype(np.uint8)
    targets[0] = 1  # scikit-learn's is 0 for a class without positives, ours leaves it out
    scores = rng.integers(0, levels, (clips, classes)) / levels
    expected = average_precision_score(targets, scores)
    assert mean_average_precision(targets, scores) == pytest.approx(expected)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), levels=st.sampled_from([2, 10, 1000]))
def test_a_clip_of_weight_3_counts_like_three_clips(seed, levels):
    targets, scores = random_case(seed, clips=30, classes=4)
    scores = np.round(scores * levels) / levels
    weights = np.random.default_rng(seed).integers(0, 4, (5, 30))
    weights[:, :2] = 1  # no class without positives
    found = weighted_map(targets, scores, weights)
    assert found.shape == (5,)
    for value, weight in zip(found, weights, strict=True):
        rows = np.repeat(np.arange(30), weight)
        assert value == pytest.approx(mean_average_precision(targets[rows], scores[rows]))
        assert value == pytest.approx(average_precision_score(targets[rows], scores[rows]))
        weighted = average_precision_score(targets, scores, sample_weight=weight)
        assert value == pytest.approx(weighted)


def test_a_class_whose_positives_all_have_weight_0_is_left_out():
    targets = np.array([[1, 0], [0, 1], [0, 0]], np.uint8)
    scores = np.array([[0.9, 0.1], [0.2, 0.3], [0.1, 0.8]])
    (value,) = weighted_map(targets, scores, np.array([[2, 0, 1]]))
    assert value == 1.0


def test_without_positives_there_is_no_average_precision():
    targets, scores = np.zeros((3, 2), np.uint8), np.ones((3, 2))
    assert np.isnan(mean_average_precision(targets, scores))
    found = weighted_map(np.eye(3, 2, dtype=np.uint8), scores, np.array([[1, 1, 1], [0, 0, 1]]))
    assert np.isnan(found).tolist() == [False, True]


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_metrics_depend_on_the_order_of_scores_alone(seed):
    targets, scores = random_case(seed, clips=20, classes=3)
    first = evaluate_scores(targets, scores, LABELS).summary
    second = evaluate_scores(targets, scores**3, LABELS).summary
    for key in ("mAP", "mAUC", "d_prime", "d_prime_per_class"):
        assert first[key] == pytest.approx(second[key])
