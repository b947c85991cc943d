"""What is measured of the files, and which of them is shipped."""

import shutil

import numpy as np
import pytest
from device_models import LABELS
from helpers import clip_table

from lean_audio.device.measure import choose, measure, summarize_shipped
from lean_audio.device.score import all_clips
from lean_audio.features.chunks import index_chunks, save_tables, shard_path
from lean_audio.files import read_json, write_json

LENGTHS = [16_000, 9000, 30_000]


@pytest.fixture
def unlabelled(tmp_path):
    """Three clips without a label."""
    audio = tmp_path / "eval"
    audio.mkdir()
    sounds = np.random.default_rng(0).integers(-3000, 3000, sum(LENGTHS)).astype("<i2")
    shard_path(audio, 0).write_bytes(sounds.tobytes())
    clips = clip_table(LENGTHS).assign(labels=[()] * len(LENGTHS))
    save_tables(audio, clips, index_chunks(clips, 0.5, "repeat"), LABELS)
    return all_clips(audio)


def test_without_a_labelled_clip_nothing_is_known_of_map_and_float32_is_shipped(
    lean, shipped, params, unlabelled, tmp_path
):
    device = tmp_path / "device"
    (device / "parts").mkdir(parents=True)
    for name in ("front_end", "backbone"):  # which are timed and nothing else
        shutil.copy(lean.bare, device / "parts" / f"{name}.tflite")
    for name in ("float32", "int4"):
        shutil.copy(shipped, device / f"{name}.tflite")
    reference = np.full((len(LENGTHS), len(LABELS)), 0.5, np.float32)
    measured = measure(device, unlabelled, reference, params.device, resamples=10, workers=1)
    write_json(tmp_path / "device.json", measured)
    written = read_json(tmp_path / "device.json")
    assert written == measured
    assert (written["mAP_keras"], written["clips"], written["shipped"]) == (None, 3, "float32")
    for scheme in written["schemes"].values():
        assert scheme["mAP"] is scheme["mAP_drop"] is scheme["mAP_drop_ci95"] is None
        assert scheme["score_difference_max"] >= scheme["score_difference_mean"] > 0
        assert set(scheme["latency"]) == {"1", "2"}
        assert scheme["peak_memory_mb"] > 0
    assert summarize_shipped(written) == {
        "scheme": "float32",
        "bytes": shipped.stat().st_size,
        "mAP": None,
        "mAP_drop": None,
    }


@pytest.mark.parametrize(("max_drop", "shipped"), [(0.0, "b"), (0.01, "c"), (0.05, "d")])
def test_the_smallest_file_within_the_allowed_drop_is_shipped(max_drop, shipped):
    drops = {"float32": (0.0, 9), "b": (-0.01, 7), "c": (0.01, 5), "d": (0.05, 3), "e": (None, 1)}
    quality = {name: {"mAP_drop": drop, "bytes": size} for name, (drop, size) in drops.items()}
    assert choose(quality, max_drop) == shipped


def test_where_every_file_loses_too_much_float32_is_shipped():
    quality = {
        "float32": {"mAP_drop": 0.003, "bytes": 9},
        "int4": {"mAP_drop": 0.1, "bytes": 1},
    }
    assert choose(quality, 0.002) == "float32"
