"""Preparing clips: stored once, bad ones set aside, the same bytes for any number of workers."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import write_layout

from lean_audio.datasets.layout import read_layout
from lean_audio.errors import LeanError
from lean_audio.features.chunks import open_chunks
from lean_audio.features.prepare import prepare


@pytest.fixture
def twelve(tmp_path):
    splits = ["train"] * 6 + ["val"] * 3 + ["eval"] * 3
    clips = {f"{number:02d}": (split, "Dog") for number, split in enumerate(splits)}
    return write_layout(tmp_path / "sounds", clips, rate_hz=22_050)


def settings(params, **changes):
    return params.prepare.model_copy(update={"shard_clips": 5, **changes})


def run(root, folder, params, *, workers=1, **changes):
    """The clips set aside."""
    dataset = read_layout(root, name="folder", origin="a test", synthetic=False)
    set_aside = folder.with_suffix(".csv")
    prepare(dataset, root, folder, set_aside, settings(params, **changes), workers)
    return pd.read_csv(set_aside, dtype=str)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_bytes_do_not_depend_on_the_number_of_workers(twelve, tmp_path, params):
    run(twelve, tmp_path / "one", params, workers=1)
    run(twelve, tmp_path / "two", params, workers=2)
    first, second = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert first == second
    assert {name for name in first if name.endswith(".s16")} == {
        f"shard-0000{number}.s16" for number in range(3)
    }


def test_every_split_gets_its_clips_and_chunks(twelve, tmp_path, params):
    set_aside = run(twelve, tmp_path / "audio", params)
    assert set_aside.empty
    for split, clips in (("train", 6), ("val", 3), ("eval", 3)):
        chunks = open_chunks(tmp_path / "audio", split, ("Bark", "Dog"))
        assert len(chunks.clips) == clips
        assert chunks.waveforms(np.arange(len(chunks))).shape == (len(chunks), 16000)


def test_bad_clips_are_set_aside_with_their_reason(twelve, tmp_path, params):
    (twelve / "FSD50K.dev_audio" / "01.wav").write_bytes(b"")
    soundfile.write(twelve / "FSD50K.eval_audio" / "09.wav", np.zeros(0), 16000)
    set_aside = run(twelve, tmp_path / "audio", params, max_set_aside=0.2)
    assert set_aside["clip"].tolist() == ["01", "09"]
    assert set_aside["split"].tolist() == ["train", "eval"]
    assert set_aside["file"].tolist() == ["FSD50K.dev_audio/01.wav", "FSD50K.eval_audio/09.wav"]
    assert set_aside["reason"].str.contains("unreadable|empty").all()
    train = open_chunks(tmp_path / "audio", "train", ("Bark", "Dog"))
    assert "01" not in set(train.clips["clip"])
    assert len(train.clips) == 5


def test_a_clip_that_is_gone_is_the_hosts_fault_and_what_is_done_is_kept(twelve, tmp_path, params):
    gone = twelve / "FSD50K.eval_audio" / "11.wav"
    dataset = read_layout(twelve, name="folder", origin="a test", synthetic=False)
    content = gone.read_bytes()
    gone.unlink()
    with pytest.raises(LeanError, match=r"11\.wav cannot be read on .*: No such file"):
        prepare(dataset, twelve, tmp_path / "audio", tmp_path / "bad.csv", settings(params), 1)
    assert len(list(tmp_path.glob(".audio.*.partial/shard-*.s16"))) == 2
    assert not (tmp_path / "bad.csv").exists()
    gone.write_bytes(content)
    assert run(twelve, tmp_path / "audio", params).empty


def test_the_clips_around_a_bad_one_are_unharmed(twelve, tmp_path, params):
    run(twelve, tmp_path / "before", params)
    before = open_chunks(tmp_path / "before", "val", ()).waveforms([0, 1, 2])
    (twelve / "FSD50K.dev_audio" / "01.wav").write_bytes(b"")
    run(twelve, tmp_path / "after", params, max_set_aside=0.2)
    after = open_chunks(tmp_path / "after", "val", ()).waveforms([0, 1, 2])
    np.testing.assert_array_equal(before, after)


def test_too_many_bad_clips_stop_the_run(twelve, tmp_path, params):
    for name in ("00", "01"):
        (twelve / "FSD50K.dev_audio" / f"{name}.wav").write_bytes(b"")
    with pytest.raises(LeanError, match=r"2 of 12 clips.*max_set_aside.*0\.05.*00\.wav"):
        run(twelve, tmp_path / "audio", params)
    assert len(pd.read_csv(tmp_path / "audio.csv")) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"sounds", "audio.csv"}


def test_a_split_left_without_clips_stops_the_run(layout, tmp_path, params):
    (layout / "FSD50K.eval_audio" / "d.wav").write_bytes(b"")
    with pytest.raises(LeanError, match="no clips in eval"):
        run(layout, tmp_path / "audio", params, max_set_aside=0.5)
