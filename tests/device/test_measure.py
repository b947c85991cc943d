"""What is measured of the files, and which of them is shipped."""

import shutil

import numpy as np
import pytest
from device_models import LABELS
from helpers import clip_table

from lean_audio.device.choose import Candidate, choose
from lean_audio.device.measure import measure, summarize_shipped
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
    unknown = {"mAP": None, "mAP_drop": None, "F1": None}
    validation = dict.fromkeys(("float32", "int4"), unknown)
    measured = measure(
        device, unlabelled, reference, validation, params.device, resamples=10, workers=1
    )
    write_json(tmp_path / "device.json", measured)
    written = read_json(tmp_path / "device.json")
    assert written == measured
    assert (written["mAP_keras"], written["clips"], written["shipped"]) == (None, 3, "float32")
    for scheme in written["schemes"].values():
        assert scheme["mAP"] is scheme["mAP_drop"] is scheme["mAP_drop_ci95"] is None
        assert scheme["score_difference_max"] >= scheme["score_difference_mean"] > 0
        assert set(scheme["latency"]) == {"1", "2"}
        assert scheme["peak_memory_mb"] > 0
        assert set(scheme["false_alarms"]) == {"silence", "hum", "noise"}
        assert scheme["least_runtime"] == "2.9.0"
    alarms = written["schemes"]["float32"]["false_alarms"]
    assert summarize_shipped(written) == {
        "scheme": "float32",
        "bytes": shipped.stat().st_size,
        "mAP": None,
        "mAP_drop": None,
        "mAP_drop_validation": None,
        **{f"false_alarms_{kind}": rate for kind, rate in alarms.items()},
    }


FILES = {
    "float32": Candidate(0.0, 18.2, 6.4),
    "float16": Candidate(0.0001, 9.2, 6.6),
    "weight_only": Candidate(0.0004, 4.747, 6.6),
    "selective": Candidate(-0.001, 4.746, 4.5),
    "dynamic": Candidate(0.024, 4.721, 4.4),
    "int4": Candidate(0.0007, 4.28, 8.8),
    "patch": Candidate(0.0, 4.5, 1.0, takes_waveform=False),
}


@pytest.fixture
def choice(params):
    def run(files=FILES, **changes):
        return choose(files, params.device.model_copy(update=changes))

    return run


def test_the_fastest_file_within_both_limits_is_shipped_and_every_file_has_a_reason(choice):
    shipped, reasons = choice()
    assert shipped == "selective"
    assert reasons == {
        "float32": "18.20 MB, allowed 4.75",
        "float16": "9.20 MB, allowed 4.75",
        "weight_only": "1.47 times as long",
        "selective": "shipped: the fastest within both limits",
        "dynamic": "mAP drop 0.0240 on validation, allowed 0.002",
        "int4": "1.96 times as long",
        "patch": "takes patches, not the waveform",
    }


@pytest.mark.parametrize(
    ("changes", "shipped"),
    [
        ({"prefer": "smallest"}, "int4"),
        ({"max_drop": 0.03}, "selective"),  # dynamic is 2 % faster, which is noise
        ({"max_drop": 0.03, "prefer": "smallest"}, "int4"),
        ({"max_mb": 4.5}, "int4"),
        ({"max_mb": 4.746}, "selective"),  # the limit itself is allowed
        ({"max_mb": 20.0}, "selective"),
    ],
)
def test_limits_and_preference_decide(choice, changes, shipped):
    assert choice(**changes)[0] == shipped


def test_of_equally_fast_files_the_more_accurate_one_is_shipped(choice):
    files = FILES | {"dynamic": Candidate(0.0015, 4.721, 4.4)}
    shipped, reasons = choice(files)
    assert shipped == "selective"
    assert reasons["dynamic"] == "as fast, with a larger drop"


def test_where_no_file_is_small_enough_the_smallest_accurate_one_is_shipped(choice):
    shipped, reasons = choice(max_mb=4.0)
    assert shipped == "int4"
    assert reasons["int4"].startswith("shipped: no file is within both limits")
    assert reasons["selective"] == "4.75 MB, allowed 4"


def test_where_every_other_file_loses_too_much_float32_is_shipped(choice):
    files = {"float32": FILES["float32"], "dynamic": FILES["dynamic"]}
    assert choice(files)[0] == "float32"


def test_without_an_map_on_validation_float32_is_shipped(choice):
    files = {"float32": Candidate(None, 18.2, 6.4), "int4": Candidate(None, 4.28, 8.8)}
    assert choice(files)[0] == "float32"
