"""The clips that the report shows: drawn at random, described exactly, the same every time."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from splits import VOCABULARY, store

from lean_audio.backbones.yamnet import BACKBONE
from lean_audio.evaluation.examples import draw_clips, fold_attention, tags, write_examples
from lean_audio.model import build_head
from lean_audio.training.batches import Examples
from lean_audio.training.heads import Head, read_head, save_head
from lean_audio.training.scoring import score_clips

RISING = np.arange(40) / np.arange(40).sum()
FIRST = np.eye(40)[0]  # all attention on the chunk's first 25 ms


def clip_rows(labels: list[tuple[str, ...]], seconds: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"labels": labels, "samples": [round(s * 16_000) for s in seconds]})


def test_weights_of_a_repeated_chunk_are_folded_back_by_mean():
    folded = fold_attention(RISING[None], [0], [4800], 4800)  # 12 frames, heard 3 1/3 times
    expected = [40 * RISING[frame::12].mean() for frame in range(12)]
    np.testing.assert_allclose(folded, expected)
    assert expected[4] == pytest.approx(40 * (4 + 16 + 28) / 3 / 780)


def test_a_repetition_that_is_no_whole_number_of_frames_is_folded_by_the_sample():
    folded = fold_attention(FIRST[None], [0], [600], 600)  # 16000 = 26 * 600 + 400
    np.testing.assert_allclose(folded, [40 / 27, 0])


def test_where_chunks_overlap_attention_is_their_mean():
    folded = fold_attention(np.stack([FIRST, FIRST]), [0, 8000], [16000, 16000], 24000)
    assert np.flatnonzero(folded).tolist() == [0, 20]
    assert folded[[0, 20]].tolist() == [40, 20]
    assert len(folded) == 60


def test_a_short_tail_and_the_whole_chunk_under_it_count_the_same():
    folded = fold_attention(np.stack([RISING, FIRST]), [0, 8000], [16000, 8400], 16400)
    assert len(folded) == 41
    assert folded[20] == pytest.approx((40 * RISING[20] + 40 / 2) / 2)  # frame 0 is heard twice
    assert folded[25] == pytest.approx(40 * RISING[25] / 2)
    assert folded[40] == 0


def test_a_chunk_off_the_clips_frames_is_shared_between_them():
    folded = fold_attention(RISING[None], [200], [16000], 16400)
    assert len(folded) == 41
    assert folded[1] == pytest.approx(40 * (RISING[0] + RISING[1]) / 2)
    assert folded[40] == pytest.approx(40 * RISING[39])  # of the samples that were heard


def test_attention_has_mean_1_over_whole_chunks_and_is_0_where_no_chunk_lies():
    weights = np.random.default_rng(0).dirichlet(np.ones(40), 2)
    folded = fold_attention(weights, [0, 16000], [16000, 16000], 36000)
    assert folded[:80].mean() == pytest.approx(1)
    assert folded[80:].tolist() == [0] * 10
    np.testing.assert_allclose(folded[:40], 40 * weights[0])


def test_the_same_clips_are_drawn_every_time_and_no_clip_twice(params):
    clips = clip_rows([(f"label {n}",) for n in range(30)], [1] * 30)
    drawn = draw_clips(clips, params.examples)
    assert drawn == draw_clips(clips, params.examples)
    assert len(set(drawn)) == params.examples.clips
    assert drawn != sorted(drawn)  # at random


@pytest.mark.parametrize("owl", range(0, 20, 5))
def test_a_first_label_comes_again_only_after_every_other(params, owl):
    labels = [("Dog", "Bark")] * 20 + [("Bark",)] + [()] * 20
    labels.insert(owl, ("Owl",))
    drawn = draw_clips(clip_rows(labels, [1] * len(labels)), params.examples)
    firsts = [labels[row][0] for row in drawn]
    assert sorted(firsts[:3]) == ["Bark", "Dog", "Owl"]
    assert firsts[3:] == ["Dog"] * 3


def test_long_clips_are_drawn_only_where_there_is_no_other(params):
    clips = clip_rows([("Dog",), ("Dog",), ("Owl",), ()], [8, 8.01, 9, 1])
    assert draw_clips(clips, params.examples) == [0]
    assert sorted(draw_clips(clips[1:], params.examples)) == [1, 2]
    assert draw_clips(clips[3:], params.examples) == []


def test_the_best_labels_and_all_true_ones_are_told_by_falling_score():
    scores = np.array([[0.1, 0.9, 0.5, 0.2], [0.3, 0.7, 0.5, 0.0]], np.float32)
    told = tags(scores, {"Owl", "Cat"}, ("Bark", "Cat", "Dog", "Owl"), 2)
    assert [tag["label"] for tag in told] == ["Cat", "Dog", "Owl"]
    assert [tag["score"] for tag in told] == [0.8, 0.5, 0.1]
    assert [tag["true"] for tag in told] == [True, False, True]
    assert [tag["chunk_scores"] for tag in told] == [[0.9, 0.7], [0.5, 0.5], [0.2, 0.0]]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Examples:
    """Clips of 0.0125 s, 1 s, 1.25 s and 2.31 s."""
    labels = [("Dog",), ("Bark", "Dog"), (), ("Bark",)]
    return store(tmp_path_factory.mktemp("data") / "split", [200, 16000, 20000, 36960], labels)


@pytest.fixture(scope="module")
def trained(params, tmp_path_factory):
    """A head of random weights as stage train stores it, by model."""

    @cache
    def head(name: str) -> Head:
        folder = tmp_path_factory.mktemp(name)
        network = params.model(name).network
        save_head(folder, name, 1, network, build_head(network, len(VOCABULARY), BACKBONE))
        return read_head(folder)

    return head


@pytest.fixture(scope="module")
def written(params, data, trained, tmp_path_factory):
    """The folder of a model's examples, written once per dataset."""

    @cache
    def examples(name: str, dataset: str = "demo") -> Path:
        folder = tmp_path_factory.mktemp("examples")
        (folder / "99.png").touch()  # of an earlier run
        write_examples(folder, data, trained(name), BACKBONE, params.examples, dataset)
        return folder

    return examples


def read(folder: Path) -> dict:
    return json.loads((folder / "examples.json").read_text())


@pytest.mark.parametrize("name", ["joint-bahdanau", "joint-affinity"])
def test_a_clip_is_described_as_the_pipeline_scores_it(data, trained, written, name):
    content = read(written(name))
    assert (content["variant"], content["attends"], content["frame_s"]) == (name, True, 0.025)
    clips = {clip["clip"]: clip for clip in content["clips"]}
    assert set(clips) == {"clip0", "clip1", "clip3"}  # clip2 has no label
    scores = score_clips(trained(name).open(len(VOCABULARY), BACKBONE), data)
    for row, frames in ((0, 1), (1, 40), (3, 93)):
        clip = clips[f"clip{row}"]
        assert len(clip["attention"]) == frames
        assert clip["labels"] == list(data.chunks.clips["labels"][row])
        for tag in clip["tags"]:
            score = scores[row, VOCABULARY.index(tag["label"])]
            assert tag["score"] == pytest.approx(score, abs=2e-5)
            assert tag["true"] == (tag["label"] in clip["labels"])
            assert len(tag["chunk_scores"]) == len(clip["chunks"])
    assert np.mean(clips["clip1"]["attention"]) == pytest.approx(1, abs=1e-4)
    assert np.ptp(clips["clip1"]["attention"]) > 0
    assert clips["clip3"]["duration_s"] == 2.31
    assert [(c["start_s"], c["end_s"]) for c in clips["clip3"]["chunks"]] == [
        *((0, 1), (0.5, 1.5), (1, 2), (1.5, 2.31))
    ]


def test_a_model_without_attention_has_none_to_show(written):
    content = read(written("joint-none"))
    assert content["attends"] is False
    assert [clip["attention"] for clip in content["clips"]] == [None] * 3


def test_the_sound_is_kept_for_listed_datasets_alone(written):
    loud = written("joint-bahdanau")
    for clip in read(loud)["clips"]:
        sound = soundfile.info(loud / clip["audio"])
        assert (sound.samplerate, sound.channels, sound.format) == (16_000, 1, "MP3")
        assert sound.duration == pytest.approx(clip["duration_s"], abs=0.05)
    mute = written("yamnet", "sounds")
    assert [clip["audio"] for clip in read(mute)["clips"]] == [None] * 3
    assert sorted(path.name for path in mute.iterdir()) == [
        *("01.png", "02.png", "03.png", "examples.json")
    ]


def test_two_runs_give_the_same_bytes_and_leave_nothing_of_an_earlier_one(
    params, data, trained, written, tmp_path
):
    head = trained("joint-bahdanau")
    write_examples(tmp_path / "again", data, head, BACKBONE, params.examples, "demo")
    first, second = (
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (written("joint-bahdanau"), tmp_path / "again")
    )
    assert len(first) == 7
    assert first == second
