"""Preparing clips: stored once, bad ones set aside, the same bytes for any number of workers."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import write_layout

from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.datasets.layout import read_layout
from lean_audio.errors import LeanError
from lean_audio.features import prepare as prepare_module
from lean_audio.features.chunks import open_chunks
from lean_audio.features.prepare import prepare

DOG = {"label": ["Bark", "Dog"], "train": [0, 6], "val": [0, 3], "eval": [0, 3]}


@pytest.fixture
def twelve(tmp_path):
    splits = ["train"] * 6 + ["val"] * 3 + ["eval"] * 3
    clips = {f"{number:02d}": (split, "Dog") for number, split in enumerate(splits)}
    return write_layout(tmp_path / "sounds", clips, rate_hz=22_050)


@pytest.fixture(autouse=True)
def five_clips_per_shard(monkeypatch):
    monkeypatch.setattr(prepare_module, "SHARD_CLIPS", 5)


def read(root):
    return read_layout(root, name="sounds", origin="a test", synthetic=False)


def prepare_all(dataset, root, folder, params, *, workers=1, **changes):
    settings = params.prepare.model_copy(update=changes)
    tables = (folder.with_suffix(".csv"), folder.with_suffix(".counts.csv"))
    prepare(dataset, root, folder, *tables, settings, workers)


def run(root, folder, params, **changes):
    """The clips set aside."""
    prepare_all(read(root), root, folder, params, **changes)
    return pd.read_csv(folder.with_suffix(".csv"), dtype=str)


def open_split(folder, split):
    return open_chunks(folder / SPLIT_FOLDERS[split])


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_bytes_do_not_depend_on_the_number_of_workers(twelve, tmp_path, params):
    run(twelve, tmp_path / "one", params, workers=1)
    run(twelve, tmp_path / "two", params, workers=2)
    first, second = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert first == second
    assert {name for name in first if name.endswith(".s16")} == {
        "dev/train/shard-00000.s16",
        "dev/train/shard-00001.s16",
        "dev/val/shard-00000.s16",
        "eval/shard-00000.s16",
    }


def test_every_split_gets_its_clips_and_chunks(twelve, tmp_path, params):
    set_aside = run(twelve, tmp_path / "audio", params)
    assert set_aside.empty
    for split, clips in (("train", 6), ("val", 3), ("eval", 3)):
        chunks = open_split(tmp_path / "audio", split)
        assert len(chunks.clips) == clips
        assert chunks.vocabulary == ("Bark", "Dog")
        assert chunks.waveforms(np.arange(len(chunks))).shape == (len(chunks), 16000)
    assert pd.read_csv(tmp_path / "audio.counts.csv").to_dict("list") == DOG


def test_bad_clips_are_set_aside_with_their_reason(twelve, tmp_path, params):
    (twelve / "FSD50K.dev_audio" / "01.wav").write_bytes(b"")
    soundfile.write(twelve / "FSD50K.eval_audio" / "09.wav", np.zeros(0), 16000)
    set_aside = run(twelve, tmp_path / "audio", params, max_set_aside=0.4)
    assert set_aside["clip"].tolist() == ["01", "09"]
    assert set_aside["split"].tolist() == ["train", "eval"]
    assert set_aside["file"].tolist() == ["FSD50K.dev_audio/01.wav", "FSD50K.eval_audio/09.wav"]
    assert set_aside["reason"].str.contains("unreadable|empty").all()
    train = open_split(tmp_path / "audio", "train")
    assert "01" not in set(train.clips["clip"])
    assert len(train.clips) == 5
    counts = pd.read_csv(tmp_path / "audio.counts.csv").to_dict("list")
    assert counts == DOG | {"train": [0, 5], "eval": [0, 2]}


def test_a_clip_that_is_gone_is_the_hosts_fault_and_what_is_done_is_kept(twelve, tmp_path, params):
    gone = twelve / "FSD50K.eval_audio" / "11.wav"
    dataset = read(twelve)
    content = gone.read_bytes()
    gone.unlink()
    with pytest.raises(LeanError, match=r"11\.wav cannot be read on .*: No such file"):
        prepare_all(dataset, twelve, tmp_path / "audio", params)
    (kept,) = tmp_path.glob(".audio.*.partial")
    assert len([*kept.rglob("shard-*.s16")]) == 3
    assert not (tmp_path / "audio.csv").exists()
    gone.write_bytes(content)
    assert run(twelve, tmp_path / "audio", params).empty


def test_the_clips_around_a_bad_one_are_unharmed(twelve, tmp_path, params):
    run(twelve, tmp_path / "before", params)
    before = open_split(tmp_path / "before", "train")
    (twelve / "FSD50K.dev_audio" / "01.wav").write_bytes(b"")
    run(twelve, tmp_path / "after", params, max_set_aside=0.2)
    after = open_split(tmp_path / "after", "train")
    kept = np.flatnonzero(before.clip_of_chunk != 1)
    np.testing.assert_array_equal(before.waveforms(kept), after.waveforms(np.arange(len(after))))


def test_too_many_bad_clips_stop_the_run(twelve, tmp_path, params):
    for name in ("00", "01"):
        (twelve / "FSD50K.dev_audio" / f"{name}.wav").write_bytes(b"")
    with pytest.raises(LeanError, match=r"2 of 6 train clips.*max_set_aside.*0\.05.*00\.wav"):
        run(twelve, tmp_path / "audio", params)
    assert len(pd.read_csv(tmp_path / "audio.csv")) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"sounds", "audio.csv"}  # no partial


def test_a_split_left_without_clips_stops_the_run(layout, tmp_path, params):
    (layout / "FSD50K.eval_audio" / "d.wav").write_bytes(b"")
    with pytest.raises(LeanError, match="no clips in eval"):
        run(layout, tmp_path / "audio", params, max_set_aside=1)


def test_each_split_has_a_limit_of_its_own(tmp_path, params):
    splits = ["train"] * 15 + ["val"] * 3 + ["eval"] * 5
    clips = {f"{number:02d}": (split, "Dog") for number, split in enumerate(splits)}
    sounds = write_layout(tmp_path / "sounds", clips, rate_hz=8_000)
    for number in (18, 19, 20, 21):
        (sounds / "FSD50K.eval_audio" / f"{number}.wav").write_bytes(b"")
    with pytest.raises(LeanError, match="4 of 5 eval clips cannot be used"):
        run(sounds, tmp_path / "audio", params, max_set_aside=0.3)


def test_unreadable_labelled_clips_leave_no_split_of_negatives(tmp_path, params):
    clips = {"a": ("train", "Dog"), "b": ("val", "Dog"), "c": ("eval", "Dog"), "d": ("eval", "")}
    sounds = write_layout(tmp_path / "sounds", clips)
    (sounds / "FSD50K.eval_audio" / "c.wav").write_bytes(b"")
    with pytest.raises(LeanError, match="clips that can be read: no clip in eval has a label"):
        run(sounds, tmp_path / "audio", params, max_set_aside=0.5)


def test_odd_rates_and_lengths_are_set_aside(twelve, tmp_path, params):
    slow = twelve / "FSD50K.dev_audio" / "00.wav"
    soundfile.write(slow, np.zeros(200_000), 1)  # 400 kB, and 55 hours
    soundfile.write(twelve / "FSD50K.dev_audio" / "01.wav", np.zeros(32_000), 8_000)
    set_aside = run(twelve, tmp_path / "audio", params, max_set_aside=0.4, max_clip_s=3.9)
    assert set_aside["reason"].tolist() == [
        "its header states 1 Hz, less than 1,000 Hz",
        "4 s long, more than prepare.max_clip_s (3.9) allows",
    ]
    assert run(twelve, tmp_path / "audio", params, max_set_aside=0.4)["clip"].tolist() == ["00"]
