"""When two runs rest on the same data: what a model receives counts, not how it is stored."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import clip_table
from splits import frozen

from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.datasets.layout import SPLITS, read_layout
from lean_audio.features import prepare as prepare_module
from lean_audio.features.cache import LAYOUT_FILE
from lean_audio.features.chunks import DATA_FILE, index_chunks
from lean_audio.features.fingerprint import data_sha256, features_sha256
from lean_audio.features.prepare import prepare
from lean_audio.features.provenance import describe_run
from lean_audio.files import read_json, write_json

ALL = set(SPLITS)


def read(root: Path):
    return read_layout(root, name="sounds", origin="a test", synthetic=False)


@pytest.fixture
def fingerprint(tmp_path, params):
    """Prepare a directory of sounds and return the fingerprint of each split."""

    def of(root: Path, **changes) -> dict[str, str]:
        audio = tmp_path / "audio"
        settings = params.prepare.model_copy(update={"max_set_aside": 0.5, **changes})
        tables = (tmp_path / "set_aside.csv", tmp_path / "class_counts.csv")
        prepare(read(root), root, audio, *tables, settings, workers=1)
        return {
            split: read_json(audio / SPLIT_FOLDERS[split] / DATA_FILE)["data_sha256"]
            for split in SPLITS
        }

    return of


def other(first: dict[str, str], second: dict[str, str]) -> set[str]:
    """The splits whose fingerprints differ."""
    return {split for split in SPLITS if first[split] != second[split]}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_same_sounds_anywhere_are_the_same_data(layout, fingerprint, tmp_path):
    before = fingerprint(layout)
    assert len(set(before.values())) == 3
    assert fingerprint(shutil.copytree(layout, tmp_path / "again")) == before


@pytest.mark.parametrize(
    ("table", "old", "new", "changed"),
    [
        ("dev.csv", "b,Dog,train", "b,Bark,train", {"train"}),  # labels
        ("dev.csv", "b,Dog,train", "b,Dog,val", {"train", "val"}),  # split
        ("eval.csv", '"Bark,Dog"', "Dog", {"eval"}),
        ("vocabulary.csv", "1,Dog,/m/0bt9lr\n", "1,Dog,/m/0bt9lr\n2,Owl,/m/09d5_\n", ALL),
        ("vocabulary.csv", "/m/05tny_", "/m/0", set()),  # an identifier that nobody reads
    ],
)
def test_labels_and_splits_count(layout, fingerprint, table, old, new, changed):
    before = fingerprint(layout)
    edit(layout / "FSD50K.ground_truth" / table, old, new)
    assert other(before, fingerprint(layout)) == changed


def test_the_samples_of_a_clip_count(layout, fingerprint):
    before = fingerprint(layout)
    samples, rate_hz = soundfile.read(layout / "FSD50K.dev_audio" / "c.wav", dtype="int16")
    samples[7] ^= 1
    soundfile.write(layout / "FSD50K.dev_audio" / "c.wav", samples, rate_hz)
    assert other(before, fingerprint(layout)) == {"val"}


def test_a_clip_that_is_set_aside_counts(layout, fingerprint):
    before = fingerprint(layout)
    soundfile.write(layout / "FSD50K.dev_audio" / "a.wav", np.zeros(0), 16_000)
    assert other(before, fingerprint(layout)) == {"train"}


def test_resampler_and_the_start_and_length_of_chunks_count(layout, fingerprint, params):
    before, hops = fingerprint(layout), params.prepare.hop_s
    assert other(before, fingerprint(layout, resampler="MQ")) == ALL
    closer = hops.model_copy(update={"eval": 0.51})  # d is 1.02 s long: as many chunks
    assert other(before, fingerprint(layout, hop_s=closer)) == {"eval"}
    assert other(before, fingerprint(layout, tail="drop")) == ALL
    assert fingerprint(layout) == before


def test_shards_licences_and_uploaders_do_not_count(layout, fingerprint, monkeypatch):
    before = fingerprint(layout)
    monkeypatch.setattr(prepare_module, "SHARD_CLIPS", 1)
    assert fingerprint(layout) == before
    metadata = layout / "FSD50K.metadata"
    metadata.mkdir()
    about = {"license": "http://creativecommons.org/licenses/by/3.0/", "uploader": "somebody"}
    (metadata / "dev_clips_info_FSD50K.json").write_text(json.dumps({"a": about, "b": about}))
    assert set(read(layout).clips["licence"]) == {"", "CC-BY"}
    assert fingerprint(layout) == before


def test_of_a_chunk_its_start_and_its_length_count_and_not_its_place_on_disk():
    clips = clip_table([16_000, 24_000]).assign(checksum=["c0", "c1"], start_s="", end_s="")
    chunks = index_chunks(clips, 0.5, "repeat")

    def sha(clips=clips, chunks=chunks) -> str:
        return data_sha256(clips, chunks, ("Bark", "Dog"), "HQ")

    last = chunks.index == len(chunks) - 1
    earlier = chunks.assign(offset=chunks["offset"] - 1 * last)
    shorter = chunks.assign(samples=chunks["samples"] - 1 * last)
    assert len({sha(), sha(chunks=earlier), sha(chunks=shorter), sha(chunks=chunks[:-1])}) == 4
    moved = clips.assign(shard=7, offset=clips["offset"] + 1000)
    assert sha(moved, index_chunks(moved, 0.5, "repeat")) == sha()
    assert sha(clips.assign(checksum=["c0", "c2"])) != sha()
    assert sha(clips.assign(start_s=["", "1"], end_s=["", "2.5"])) != sha()


def test_another_backbone_or_front_end_makes_other_data_of_the_same_samples():
    found = [
        features_sha256(data, weights, normalized)
        for data in "ab"
        for weights in "cd"
        for normalized in (False, True)
    ]
    assert len(set(found)) == 8
    assert features_sha256("a", "c", False) == found[0]


def test_a_run_is_described_by_its_clips_its_backbone_and_the_fingerprints(
    layout, fingerprint, tmp_path
):
    soundfile.write(layout / "FSD50K.dev_audio" / "a.wav", np.zeros(0), 16_000)
    fingerprint(layout)
    for split in SPLITS:
        write_json(
            tmp_path / "features" / SPLIT_FOLDERS[split] / LAYOUT_FILE, {"data_sha256": split}
        )
    weights = frozen(tmp_path / "weights")
    found = describe_run(read(layout), tmp_path / "audio", weights, tmp_path / "features")
    assert found["data_sha256"] == {split: split for split in SPLITS}
    assert found["dataset"] == {
        "name": "sounds",
        "origin": "a test",
        "synthetic": False,
        "classes": 2,
        "clips": {"train": 1, "val": 1, "eval": 1, "set_aside": 1},
        "licences": {"not stated": 4},
        "licence_filter": [],
    }
    assert (found["yamnet"]["source"], found["yamnet"]["trained"]) == ("untrained", False)
