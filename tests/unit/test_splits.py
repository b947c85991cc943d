"""Splits of clips that nobody has split: grouped, balanced, and stable when clips are added."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_sounds import column, line, read, write_sounds

from lean_audio.datasets.checks import check_clips
from lean_audio.datasets.names import SPLITS
from lean_audio.datasets.splits import fill_splits, group_clips
from lean_audio.errors import LeanError

FRACTIONS = {"val": 0.15, "eval": 0.25}
LABELS = st.lists(st.sampled_from(["cat", "dog", "owl", "fox"]), max_size=2, unique=True).map(tuple)


def table(labels, groups=None, splits=None, checksums=None) -> pd.DataFrame:
    count = len(labels)
    return pd.DataFrame(
        {
            **dict.fromkeys(("start_s", "end_s"), ""),
            "file": [f"{number}.wav" for number in range(count)],
            "labels": pd.Series(labels, dtype=object),
            "group": groups or [""] * count,
            "split": splits or [""] * count,
            "checksum": checksums or [f"{number:08x}" for number in range(count)],
        }
    )


def split(clips: pd.DataFrame, seed: int = 1, fractions=FRACTIONS) -> list[str]:
    return fill_splits(clips, fractions, seed, "here").tolist()


def test_fractions_are_those_asked_for():
    counts = pd.Series(split(table([("dog",)] * 4000))).value_counts(normalize=True)
    assert counts["val"] == pytest.approx(0.15, abs=0.02)
    assert counts["eval"] == pytest.approx(0.25, abs=0.02)


def test_another_seed_splits_otherwise():
    clips = table([("dog",)] * 100)
    assert split(clips) == split(clips) != split(clips, seed=2)


def test_no_clip_changes_split_when_clips_are_added():
    labels = [("dog",), ("cat",), ("dog", "cat"), ("owl",), ()] * 20
    before = split(table(labels))
    assert split(table(labels + [("owl",), ("fox",)] * 5))[: len(labels)] == before
    assert split(table(labels[:-10])) == before[:-10]


@pytest.mark.parametrize("seed", range(30))
def test_a_clip_added_to_few_moves_at_most_one_that_the_repair_had_moved(seed):
    labels = [(label,) for label in ("cat", "dog", "owl") for _ in range(6)]
    before = split(table(labels), seed)
    after = split(table([*labels, ("owl",)]), seed)[:-1]
    assert sum(a != b for a, b in zip(before, after, strict=True)) <= 1


@pytest.mark.parametrize(("labels", "clips", "trials_with_a_move"), [(20, 400, 0), (5, 50, 10)])
def test_moves_are_as_rare_as_the_documentation_says(labels, clips, trials_with_a_move):
    moves = []
    for draw, seed in itertools.product(range(4), range(20)):
        numbers = np.random.default_rng(draw).integers(labels, size=clips + 10)
        names = [(str(number),) for number in numbers]
        before, after = split(table(names[:clips]), seed), split(table(names), seed)
        moves.append(sum(a != b for a, b in zip(before, after, strict=False)))
    assert sum(moves) == trials_with_a_move
    assert max(moves) <= 1


@given(st.lists(LABELS, min_size=3, max_size=30), st.integers(0, 99))
def test_every_split_has_labels_and_every_label_training_and_evaluation_clips(labels, seed):
    clips = table(labels)
    if sum(map(bool, labels)) < 3:
        with pytest.raises(LeanError, match="cannot fill train and val and eval"):
            split(clips, seed)
        return
    clips["split"] = split(clips, seed)
    assert set(clips.loc[clips["labels"].map(len) > 0, "split"]) == set(SPLITS)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("count", [3, 4, 5, 8])
def test_rare_labels_are_in_training_and_in_evaluation(seed, count):
    labels = [(label,) for label in ("cat", "dog", "owl", "fox", "bat") for _ in range(count)]
    clips = table(labels)
    clips["split"] = split(clips, seed)
    for _, part in clips.groupby(clips["labels"]):
        assert {"train", "eval"} <= set(part["split"])
    assert "val" in set(clips["split"])


def test_groups_and_identical_clips_stay_together():
    groups = [f"night {number % 10}" if number < 60 else "" for number in range(100)]
    checksums = [f"{number % 80:08x}" for number in range(100)]
    clips = table([("dog",)] * 100, groups, checksums=checksums)
    clips["split"] = split(clips)
    assert (clips[clips["group"] != ""].groupby("group")["split"].nunique() == 1).all()
    assert (clips.groupby("checksum")["split"].nunique() == 1).all()


def test_what_is_given_stays_and_a_group_follows_it():
    groups = ["a", "a", "b", "b", "", "c"] + [""] * 20
    splits = ["eval", "", "val", "", "train", ""] + [""] * 20
    found = split(table([("dog",)] * 26, groups, splits))
    assert found[:5] == ["eval", "eval", "val", "val", "train"]
    assert set(found) == set(SPLITS)


@pytest.mark.parametrize(
    ("splits", "filled"),
    [
        (["eval"] * 5 + [""] * 15, {"train", "val"}),  # folds for evaluation
        (["train"] * 15 + ["eval"] * 5, {"train", "val"}),
        (["train"] * 15 + ["val"] * 5, {"train", "eval"}),
        (["train"] * 20, {"train", "val", "eval"}),
        (["val"] * 5 + ["eval"] * 5 + [""] * 10, {"train"}),
    ],
)
def test_missing_splits_are_made_of_what_is_free(splits, filled):
    found = split(table([("dog",)] * 20, splits=splits))
    assert set(found) == set(SPLITS)
    free = [new for new, old in zip(found, splits, strict=True) if old in ("", "train")]
    assert set(free) == filled


def test_a_pattern_names_groups():
    clips = table([("dog",)] * 3).assign(file=["s1/n_a.wav", "s1/n_b.wav", "s2/x.wav"])
    assert group_clips(clips, r"(\w+)_", "here")["group"].tolist() == ["n", "n", ""]
    assert group_clips(clips, r"^s\d", "here")["group"].tolist() == ["s1", "s1", "s2"]
    with pytest.raises(LeanError, match=r"'night' matches no file, for example not 's1/n_a\.wav'"):
        group_clips(clips, "night", "here")


def test_clips_of_a_folder_of_recordings_stay_together(tmp_path):
    files = [f"{label}/{night}_{n}.wav" for label in "ab" for night in range(6) for n in range(3)]
    dataset = read(write_sounds(tmp_path, files), group_pattern=r"(\d+)_")
    assert (dataset.clips.groupby("group")["split"].nunique() == 1).all()
    assert dataset.clips["group"].nunique() == 6


def test_uploaders_may_be_groups(tmp_path):
    root = write_sounds(tmp_path, [f"{n}.wav" for n in range(30)])
    text = "".join(f"{n}.wav,{'dog' if n % 2 else 'cat'},user{n % 7}\n" for n in range(30))
    (root / "t.csv").write_text(f"file,label,uploader\n{text}")
    clips = read(root, group_column="Uploader").clips
    assert (clips.groupby("uploader")["split"].nunique() == 1).all()


def test_warnings_name_and_count_what_may_be_wrong(tmp_path, capsys):
    root = write_sounds(tmp_path / "clips", [f"{n}.wav" for n in range(6)])
    (root / "5.wav").write_bytes((root / "0.wav").read_bytes())
    splits = ["train", "train", "val", "eval", "eval", "eval"]
    text = "".join(f"{n}.wav,{'dog,owl' if n == 2 else 'dog'},{s}\n" for n, s in enumerate(splits))
    text = text.replace("dog,owl", '"dog,owl"')
    (root / "t.csv").write_text(f"file,label,split\n{text}")
    dataset = read(root)
    assert check_clips(dataset.clips, dataset.vocabulary) == {
        "identical_across_splits": ["0 (train) = 5 (eval)"],
        "labels_without_training_clip": ["owl"],
        "labels_on_every_clip": ["dog"],
    }
    warnings = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0] for line in warnings] == ["warning"] * 3
    assert "the same bytes in more than one split: 1 sound ('0 (train) = 5 (eval)')" in warnings[0]
    assert "nothing to learn" in warnings[2]


def test_groups_that_were_torn_apart_are_counted():
    clips = table([("dog",), ("cat",)], ["night 1"] * 2, ["train", "eval"]).assign(clip=["a", "b"])
    found = check_clips(clips, ("cat", "dog"))
    assert found["groups_across_splits"] == ["night 1"]


def test_labels_that_may_be_one_are_named():
    labels = [("Dog",), ("dog",), ("Dog bark",), ("dog_bark",), ("?",), ("!",)]
    clips = table(labels, splits=["train"] * 6).assign(clip="x")
    found = check_clips(clips, tuple(label for (label,) in labels))
    assert found["labels_alike"] == ["Dog = dog", "Dog bark = dog_bark"]


def test_negatives_are_examples_of_no_class(tmp_path):
    files = [f"{label}/{n}.wav" for label in ("dog", "cat", "background") for n in range(8)]
    dataset = read(write_sounds(tmp_path, files))
    labels = column(dataset, "labels")
    assert dataset.vocabulary == ("cat", "dog")
    assert labels["background/0"] == ()
    assert not check_clips(dataset.clips, dataset.vocabulary)


@pytest.mark.parametrize("split", ["val", "eval"])
def test_a_split_without_any_label_is_refused(tmp_path, split):
    files = [f"{s}/{'background' if s == split else 'dog'}/{s}.wav" for s in SPLITS]
    with pytest.raises(LeanError, match=f"no clip in {split} has a label"):
        line(write_sounds(tmp_path, files))
