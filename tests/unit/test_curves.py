"""Curves: operating points against scikit-learn, bins by hand, and which classes are shown."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_curve

from lean_audio.errors import LeanError
from lean_audio.files import read_json
from lean_audio.metrics.curves import (
    BINS,
    MAX_POINTS,
    curve_labels,
    operating_points,
    precision_recall,
    reliability,
)
from lean_audio.metrics.evaluate import DIGITS, evaluate

LABELS = ("Bark", "Cat", "Dog", "Owl")


def points(targets: list[int], scores: list[float]) -> list[list[float]]:
    return operating_points(np.array(targets), np.array(scores)).tolist()


def test_operating_points_are_scikit_learns_at_each_recall():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 150)
    scores = rng.integers(0, 40, 150) / 40  # with ties
    precision, recall, _ = precision_recall_curve(targets, scores)
    best: dict[float, float] = {}
    for found, right in zip(recall[:-1], precision[:-1], strict=True):
        best[found] = max(right, best.get(found, 0))
    best.pop(0.0, None)
    assert points(targets, scores) == [list(point) for point in sorted(best.items())]


@pytest.mark.parametrize(
    ("targets", "scores", "expected"),
    [
        ([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1], [[0.5, 1], [1, 2 / 3]]),  # 0.8 finds none: no point
        ([0, 1], [0.9, 0.8], [[1, 0.5]]),  # no point at recall 0, neither measured nor invented
        ([1, 0, 1], [0.5, 0.5, 0.5], [[1, 2 / 3]]),
        ([1], [0.0], [[1, 1]]),
        ([0, 0], [0.9, 0.8], []),
    ],
)
def test_operating_points_of_hand_worked_cases(targets, scores, expected):
    assert points(targets, scores) == expected


def test_long_curves_are_thinned_and_keep_their_ends():
    targets = np.ones(1000, int)
    targets[::3] = 0
    kept = operating_points(targets, np.linspace(1, 0, 1000))
    assert len(kept) == MAX_POINTS
    assert kept[0].tolist() == [1 / 666, 1 / 2]
    assert kept[-1].tolist() == [1, 666 / 999]
    assert (np.diff(kept[:, 0]) > 0).all()


def test_a_curve_that_is_short_enough_keeps_every_point():
    scores = np.linspace(1, 0, MAX_POINTS)
    assert len(operating_points(np.ones(MAX_POINTS, int), scores)) == MAX_POINTS


def test_the_table_has_the_shown_classes_in_their_order():
    targets = np.array([[1, 0, 0, 1], [0, 0, 1, 1]])
    scores = np.array([[0.9, 0.5, 0.3, 0.8], [0.1, 0.5, 0.2, 0.7]])
    table = precision_recall(targets, scores, LABELS, ["Owl", "Dog", "Cat"])
    assert table.to_numpy().tolist() == [["Owl", 0.5, 1], ["Owl", 1, 1], ["Dog", 1, 0.5]]
    assert list(table) == ["label", "recall", "precision"]
    assert list(precision_recall(targets, scores, LABELS, [])) == list(table)


def test_the_classes_with_most_positives_are_shown_and_ties_follow_the_vocabulary():
    targets = np.zeros((600, 4), np.uint8)
    targets[:2, 0] = targets[:2, 1] = 1
    targets[:300, 2] = 1  # more than a uint8 counts
    assert curve_labels(1, targets, LABELS) == ["Dog"]
    assert curve_labels(2, targets, LABELS) == ["Dog", "Bark"]
    assert curve_labels(9, targets, LABELS) == ["Dog", "Bark", "Cat"]  # no clip has an Owl


def test_named_classes_are_shown_once_and_an_unknown_one_is_refused():
    targets = np.ones((1, 4), np.uint8)
    assert curve_labels(("Owl", "Bark", "Owl"), targets, LABELS) == ["Owl", "Bark"]
    with pytest.raises(LeanError, match=r"curve_classes: 'Cow' is not one of Bark, Cat, Dog, Owl"):
        curve_labels(("Owl", "Cow"), targets, LABELS)


def test_scores_of_0_and_1_and_on_an_edge_have_their_bins():
    scores = np.array([[0.0], [0.5], [0.25], [1.0], [0.75], [0.9]])
    targets = np.array([[0], [1], [0], [1], [0], [1]])
    table = reliability(targets, scores, 4)
    assert table["low"].tolist() == [0, 0.25, 0.5, 0.75]
    assert table["high"].tolist() == [0.25, 0.5, 0.75, 1]
    assert table["pairs"].tolist() == [1, 1, 1, 3]
    assert table["mean_score"].tolist() == pytest.approx([0, 0.25, 0.5, 2.65 / 3])
    assert table["positive_share"].tolist() == pytest.approx([0, 0, 1, 2 / 3])


def test_a_tenth_as_float_is_in_the_bin_that_it_begins():
    scores = np.array([[0.1], [0.3], [0.6], [0.7], [0.9]])
    pairs = reliability(np.ones((5, 1)), scores, 10)["pairs"]
    assert pairs.tolist() == [0, 1, 0, 1, 0, 0, 1, 1, 0, 1]


def test_bins_without_pairs_are_empty_cells_and_unscored_classes_are_left_out():
    targets, scores = np.array([[1, 0], [0, 0]]), np.array([[0.9, 0.1], [0.8, 0.2]])
    lines = reliability(targets, scores, 2).to_csv(index=False).splitlines()
    assert lines == [
        "low,high,pairs,mean_score,positive_share",
        "0.0,0.5,0,,",
        f"0.5,1.0,2,{(0.9 + 0.8) / 2},0.5",
    ]
    assert reliability(np.zeros((2, 2)), scores, 2)["pairs"].tolist() == [0, 0]


def test_an_evaluation_is_one_file_of_metrics_and_four_tables(params, tmp_path):
    targets = np.array([[0, 1], [1, 1], [0, 0]], np.uint8)
    scores = np.array([[0.2, 0.9], [0.6, 0.7], [0.3, 0.1]], np.float32)
    settings = params.evaluate.model_copy(update={"curve_classes": 1, "resamples": 20})
    evaluate(targets, scores, ("Bark", "Dog"), settings).save(
        tmp_path, "0123456789abcdef", "f" * 64
    )
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.json", "tables"}
    metrics = read_json(tmp_path / "metrics.json")
    assert (metrics["mAP"], metrics["clips"]) == (1, 3)
    assert metrics["data"] == "0123456789abcdef"[:DIGITS]
    tables = {path.stem: pd.read_csv(path) for path in (tmp_path / "tables").iterdir()}
    assert set(tables) == {"classes", "pr", "reliability", "resampled"}
    assert list(tables["classes"]) == ["label", "AP", "AUC", "positives"]
    assert tables["classes"]["positives"].tolist() == [1, 2]
    assert set(tables["pr"]["label"]) == {"Dog"}
    assert len(tables["reliability"]) == BINS
    assert tables["reliability"]["pairs"].sum() == 3 * 2
    assert len(tables["resampled"]) == 20


def test_an_evaluation_without_labels_has_no_numbers_but_all_its_files(params, tmp_path):
    none, scores = np.zeros((3, 2), np.uint8), np.full((3, 2), 0.5, np.float32)
    evaluate(none, scores, ("Bark", "Dog"), params.evaluate).save(tmp_path, "0" * 64, "0" * 64)
    assert read_json(tmp_path / "metrics.json")["mAP"] is None
    for name in ("pr", "resampled"):
        assert pd.read_csv(tmp_path / "tables" / f"{name}.csv").empty
