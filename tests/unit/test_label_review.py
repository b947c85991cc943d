"""Planted wrong labels are doubted, right ones are not; confusions and intervals are counted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from small_sets import make_dataset, noise

from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.features.cache import LAYOUT_FILE, Embeddings, features_shard
from lean_audio.features.chunks import Chunks
from lean_audio.files import write_json
from lean_audio.metrics.bootstrap import class_intervals, draw_clips
from lean_audio.metrics.confusions import confusions
from lean_audio.review import out_of_sample
from lean_audio.review.doubts import MISSING, UNLIKELY, find_doubts
from lean_audio.review.labels import LISTED, review_labels
from lean_audio.review.out_of_sample import clip_features, score_out_of_sample

LABELS = ("Bell", "Dog", "Rain", "Wind")
CLIPS, WIDTH = 200, 24


@pytest.fixture
def separable() -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of clips that have one label each, and are easily told apart."""
    rng = np.random.default_rng(1)
    of = np.arange(CLIPS) % len(LABELS)
    centres = rng.standard_normal((len(LABELS), WIDTH))
    features = centres[of] + 0.2 * rng.standard_normal((CLIPS, WIDTH))
    return features.astype(np.float32), np.eye(len(LABELS), dtype=np.uint8)[of]


def doubts(features: np.ndarray, targets: np.ndarray) -> pd.DataFrame:
    scores = score_out_of_sample(features.copy(), targets, np.arange(len(targets)))
    return find_doubts(targets, scores.round(4), LABELS)


def test_planted_wrong_labels_come_first(separable: tuple[np.ndarray, np.ndarray]):
    features, targets = separable
    wrong = [3, 50, 121]
    targets[wrong] = np.roll(targets[wrong], 1, axis=1)
    found = doubts(features, targets)
    first = found[found["kind"] == UNLIKELY][: len(wrong)]
    assert sorted(first["row"]) == wrong
    for row in first.itertuples():
        assert row.label == LABELS[(row.row + 1) % 4] and row.better == LABELS[row.row % 4]
        assert row.score < 0.3 < 0.7 < row.better_score


def test_planted_missing_labels_come_first(separable: tuple[np.ndarray, np.ndarray]):
    features, targets = separable
    bare = [8, 77]
    targets[bare] = 0
    found = doubts(features, targets)
    first = found[found["kind"] == MISSING][: len(bare)]
    assert sorted(first["row"]) == bare
    assert {row.row: row.label for row in first.itertuples()} == {8: "Bell", 77: "Dog"}


def test_a_clip_is_named_once():
    targets = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.uint8)
    scores = np.array([[0.9, 0.1], [-0.2, 1.2], [0.2, 0.8], [0.1, 0.9]])
    found = find_doubts(targets, scores, ("A", "B"))
    assert found[["kind", "rank", "row", "label", "better"]].values.tolist() == [
        [UNLIKELY, 1, 1, "A", "B"]
    ]
    assert found[["score", "better_score"]].values.tolist() == [[-0.2, 1.2]]


def test_scores_on_the_right_side_of_the_thresholds_are_not_doubted():
    targets = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.uint8)
    scores = np.where(targets, 0.8, 0.2) + 0.01 * np.arange(4)[:, None]
    assert find_doubts(targets, scores, ("A", "B")).empty


def test_a_label_on_all_clips_or_on_none_is_never_doubted():
    targets = np.array([[1, 0], [1, 0]], np.uint8)
    assert find_doubts(targets, np.array([[-1.0, 2.0], [1.0, 3.0]]), ("A", "B")).empty


def test_a_label_that_heads_rank_the_wrong_way_round_is_never_doubted():
    targets = np.array([[1], [1], [0], [0]], np.uint8)
    assert find_doubts(targets, np.array([[0.1], [0.2], [0.5], [0.6]]), ("A",)).empty


def test_both_forms_of_the_regression_agree(
    separable: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    features, targets = separable
    groups = np.arange(CLIPS) // 3
    by_features = score_out_of_sample(features.copy(), targets, groups)
    monkeypatch.setattr(out_of_sample, "_score_by_features", out_of_sample._score_by_clips)
    by_clips = score_out_of_sample(features.copy(), targets, groups)
    assert by_clips == pytest.approx(by_features, abs=1e-4)


def test_a_clip_is_scored_by_heads_that_saw_none_of_its_group():
    """Noise cannot be learned, except from a twin; a twin of the same group is never seen."""
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((100, 200)).astype(np.float32)
    labels = (np.arange(100) % 2)[:, None].astype(np.uint8)
    twins, targets = np.concatenate([noise, noise]), np.concatenate([labels, labels])
    together = np.tile(np.arange(100), 2)
    seen = score_out_of_sample(twins.copy(), targets, np.arange(200))
    unseen = score_out_of_sample(twins.copy(), targets, together)
    error = [np.abs(scores - targets).mean() for scores in (seen, unseen)]
    assert error[0] < 0.3 < 0.4 < error[1]


def test_clips_of_one_recording_alone_are_scored_one_by_one(
    separable: tuple[np.ndarray, np.ndarray],
):
    features, targets = separable
    alone = score_out_of_sample(features.copy(), targets, np.arange(CLIPS))
    together = score_out_of_sample(features.copy(), targets, np.zeros(CLIPS, int))
    np.testing.assert_array_equal(together, alone)


def test_features_are_means_over_a_clips_chunks_across_shards(tmp_path: Path):
    layout = {"shard_chunks": 2, "widths": {"embedding": 2, "pooled": 1}, "data_sha256": ""}
    write_json(tmp_path / LAYOUT_FILE, layout)
    rows = np.arange(15, dtype="<f4").reshape(5, 3)
    for number, start in enumerate((0, 2, 4)):
        features_shard(tmp_path, number).write_bytes(rows[start : start + 2].tobytes())
    clips, index = pd.DataFrame({"clip": ["a", "b"]}), pd.DataFrame({"clip": [0, 1, 1, 1, 1]})
    means = clip_features(Chunks(tmp_path, clips, index, ("Dog",)), Embeddings(tmp_path))
    assert means.tolist() == [rows[0].tolist(), rows[1:].mean(axis=0).tolist()]


def test_the_review_lists_some_doubts_and_writes_the_sounds_of_the_first(tmp_path: Path):
    rng = np.random.default_rng(4)
    clips = {
        split: [(f"{split}{n}", [LABELS[rng.integers(4)]], noise(n, 0.01)) for n in range(count)]
        for split, count in {"train": 500, "val": 60, "eval": 60}.items()
    }
    dataset = make_dataset(tmp_path / "audio", clips, LABELS)
    layout = {"shard_chunks": 1000, "widths": {"embedding": 3}, "data_sha256": ""}
    for split, place in SPLIT_FOLDERS.items():  # noise: as many doubts as there can be
        folder = tmp_path / "embeddings" / place
        folder.mkdir(parents=True)
        write_json(folder / LAYOUT_FILE, layout)
        values = rng.standard_normal((len(clips[split]), 3)).astype("<f4")
        features_shard(folder, 0).write_bytes(values.tobytes())
    found = review_labels(dataset, tmp_path / "audio", tmp_path / "embeddings")
    assert found.about["clips"] == 620 and min(found.about[k] for k in ("unlikely", "missing")) > 9
    table = found.doubts.set_index(["split", "clip"])
    listed = dataset.clips.set_index(["split", "clip"])
    assert (table["file"] == listed.loc[table.index, "file"]).all()
    assert (table["labels"] == listed.loc[table.index, "labels"].map(",".join)).all()
    assert table.groupby("kind")["rank"].agg(["min", "max"]).to_numpy().tolist() == [
        [1, min(found.about[kind], LISTED)] for kind in ("missing", "unlikely")
    ]
    found.save_sounds(tmp_path / "sounds")
    written = sorted(path.name for path in (tmp_path / "sounds").iterdir())
    assert written == sorted(set(table["sound"]) - {""}) and len(written) == 20
    row = found.doubts.iloc[0]
    sound, rate = soundfile.read(tmp_path / "sounds" / row["sound"])
    assert rate == 16_000 and len(sound) == len(noise(1, 0.01))


def test_a_clip_is_confused_with_the_best_label_that_it_lacks():
    targets = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]])
    scores = np.array(
        [
            [0.9, 0.3, 0.5, 0.4],  # Dog below Rain
            [0.2, 0.6, 0.7, 0.1],  # Bell below Rain; Dog, second, does not count
            [0.9, 0.1, 0.1, 0.1],
            [0.1, 0.1, 0.1, 0.1],  # a tie is no confusion
        ]
    )
    found = confusions(targets, scores, LABELS)
    assert found.values.tolist() == [["Dog", "Rain", 1, 1, 1.0], ["Bell", "Rain", 3, 1, 1 / 3]]


def test_a_model_without_errors_confuses_nothing():
    targets = np.eye(4)
    found = confusions(targets, targets * 0.9, LABELS)
    assert found.empty and list(found) == ["label", "taken_for", "clips", "confused", "fraction"]


def test_the_interval_of_a_class_is_that_of_scikit_learn_on_the_same_draws():
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(3)
    targets = np.zeros((60, 2), np.uint8)
    targets[:12, 0] = 1
    scores = rng.random((60, 2)) + 0.5 * targets
    drawn = [
        average_precision_score(targets[:, 0], scores[:, 0], sample_weight=weights)
        for block in draw_clips(60, 100)
        for weights in block
    ]
    intervals = class_intervals(targets, scores, 100)
    assert intervals.loc[0].tolist() == pytest.approx(np.percentile(drawn, [2.5, 97.5]).tolist())
    assert intervals.loc[1].isna().all()  # no positives
