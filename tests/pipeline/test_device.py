"""The shipped model and its command line, on what a real `dvc repro` left."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import lean_audio

from lean_audio.datasets.layout import load_dataset
from lean_audio.device.recipes import BASE
from lean_audio.features.chunks import multi_hot
from lean_audio.metrics.average_precision import mean_average_precision
from lean_audio.tagger import Tagger, read_card

UNTRAINED_TOLERANCE = 2e-3  # random weights enlarge rounding; test_real.py has the trained ones
SCHEMES = ("float32", "float16", "dynamic_int8", "weight_only_int8", "selective_int8", "int4")


def rows(done) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(done.stdout.decode())))


def predict_all(clone, model: Path, names: list[str]) -> np.ndarray:
    """(clips, classes): the scores that the command line prints."""
    audio = clone.root / "data/demo/raw/FSD50K.eval_audio"
    files = [next(audio.glob(f"{name}.*")) for name in names]
    done = lean_audio("predict", *files, "--model", model, "--top", "all", "--format", "csv")
    table = pd.DataFrame(rows(done)).pivot(index="file", columns="label", values="score")
    return table.loc[[str(file) for file in files], Tagger(model).labels].astype(float).to_numpy()


def test_every_scheme_has_a_file_or_a_reason(finished):
    metrics = finished.root / "metrics" / "demo"
    measured = json.loads((metrics / "device.json").read_text())
    failures = json.loads((metrics / "quantize.json").read_text())["failures"]
    assert set(SCHEMES) <= set(measured["schemes"])
    assert set(measured["schemes"]) | set(failures) == {*SCHEMES, "full_int8"}
    for name, scheme in measured["schemes"].items():
        path = finished.root / "models" / "demo" / "device" / f"{name}.tflite"
        assert scheme["bytes"] == path.stat().st_size
        low, high = scheme["mAP_drop_ci95"]
        assert low <= high
        assert set(scheme["latency"]) == {"1", "2"}
        assert scheme["peak_memory_mb"] > 0
        assert read_card(path)[1]["scheme"] == name


def test_float32_on_device_has_keras_map_and_the_shipped_file_is_the_smallest_as_good(finished):
    measured = json.loads((finished.root / "metrics/demo/device.json").read_text())
    schemes = measured["schemes"]
    assert schemes["float32"]["score_difference_mean"] <= 1e-4
    assert schemes["float32"]["score_difference_max"] <= UNTRAINED_TOLERANCE
    assert schemes["float32"]["mAP"] == pytest.approx(measured["mAP_keras"], abs=1e-3)
    good = [name for name, row in schemes.items() if row["mAP_drop"] <= 0.002]
    assert measured["shipped"] == min(good, key=lambda name: schemes[name]["bytes"])
    shipped = (finished.root / "models/demo/lean.tflite").read_bytes()
    device = finished.root / "models/demo/device"
    assert shipped == (device / f"{measured['shipped']}.tflite").read_bytes()


@pytest.mark.parametrize("scheme", ["weight_only_int8", "int4"])
def test_the_command_lines_scores_give_the_stated_map(finished, scheme):
    """The whole evaluation split, decoded anew and tagged by the scheme's own file."""
    dataset = load_dataset(finished.root / "data/demo/clips")
    clips = dataset.clips[dataset.clips["split"] == "eval"]
    targets = multi_hot(clips["labels"].tolist(), dataset.vocabulary)
    measured = json.loads((finished.root / "metrics/demo/device.json").read_text())
    model = finished.root / "models/demo/device" / f"{scheme}.tflite"
    scores = predict_all(finished, model, clips["clip"].tolist())
    mean_ap = mean_average_precision(targets, scores)
    assert mean_ap == pytest.approx(measured["schemes"][scheme]["mAP"], abs=1e-4)


def test_sensitivity_has_every_group_twice_and_the_mix_is_the_chosen_ones(finished):
    metrics = finished.root / "metrics" / "demo"
    table = pd.read_csv(metrics / "sensitivity.csv")
    mixes = json.loads((metrics / "quantize.json").read_text())["mixes"]
    for scheme, kind in (("int4", "int4"), ("selective_int8", "dynamic")):
        rows = table[table["kind"] == kind].reset_index()
        chosen = rows[rows["chosen"]]
        assert BASE | dict.fromkeys(chosen["group"], kind) == mixes[scheme]
        assert 0 < len(chosen) < len(rows)
        assert chosen.index.tolist() == list(range(len(chosen)))
    assert table["kind"].value_counts().to_dict() == {"int4": 18, "dynamic": 18}


def test_the_report_sets_the_files_beside_the_papers(finished):
    for name in ("report.md", "index.html"):
        text = (finished.root / "report" / "demo" / name).read_text().replace("\\_", "_")
        for scheme in SCHEMES:
            assert scheme in text
        assert "paper: TKD Att-RNN" in text
        assert "0.3471" in text
        assert "plain YAMNet, float32 (yardstick)" in text


def test_predict_gives_the_pipelines_scores(finished):
    """Fifty evaluation clips, decoded anew by the command line, against the evaluate stage."""
    clips = pd.read_parquet(finished.root / "data/demo/audio/clips.parquet")
    names = clips[clips["split"] == "eval"]["clip"].tolist()[:50]
    scores = np.load(finished.root / "data/demo/scores/joint-bahdanau.npy")
    ours = predict_all(finished, finished.root / "models/demo/device/float32.tflite", names)
    assert len(ours) == len(names) >= 10
    assert np.abs(ours - scores[: len(ours)]).max() <= UNTRAINED_TOLERANCE


def test_stream_and_file_agree_on_the_command_line(model, sound):
    settings = ("--model", model, "--top", "all", "--format", "csv", "--timeline")
    from_file = rows(lean_audio("predict", sound, *settings))
    pcm = soundfile.read(sound, dtype="int16")[0].tobytes()
    stream = rows(lean_audio("predict", "-", "--rate", 16_000, *settings, stdin=pcm))
    keys = ("start_s", "end_s", "label", "score")
    assert [[r[k] for k in keys] for r in stream] == [[r[k] for k in keys] for r in from_file]
    assert {row["file"] for row in stream} == {"-"}
    assert len({row["start_s"] for row in stream}) == 4  # 2.5 s at a hop of 0.5 s


def test_a_chunk_is_printed_while_the_stream_is_still_open(model):
    command = [sys.executable, "-m", "lean_audio.cli", "predict", "-", "--rate", "16000"]
    process = subprocess.Popen(
        [*command, "--model", str(model), "--timeline"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=False,
    )
    assert process.stdin and process.stdout
    process.stdin.write(np.zeros(16_000, "<i2").tobytes())
    process.stdin.flush()
    assert b"0.00 -     1.00 s" in process.stdout.readline()  # and nothing has been closed
    process.stdin.close()
    process.stdout.read()
    assert process.wait() == 0


def test_formats_thresholds_and_short_sounds(model, tmp_path):
    soundfile.write(tmp_path / "short.flac", np.full(800, 0.1), 8000)
    one = lean_audio("predict", tmp_path, "--model", model, "--format", "json")
    content = json.loads(one.stdout)
    assert (content["start_s"], content["end_s"], len(content["labels"])) == (0.0, 0.1, 5)
    scores = [label["score"] for label in content["labels"]]
    assert scores == sorted(scores, reverse=True)
    settings = ("--model", model, "--format", "json")
    every = json.loads(lean_audio("predict", tmp_path, *settings, "--top", "all").stdout)["labels"]
    least = every[len(every) // 2]["score"]
    some = json.loads(lean_audio("predict", tmp_path, *settings, "--threshold", least).stdout)
    assert some["labels"] == [label for label in every if label["score"] >= least]
    assert 0 < len(some["labels"]) < len(every)
    auto = lean_audio("predict", tmp_path, "--model", model, "--threshold", "auto", "--top", 1)
    assert "short.flac  (0.10 s)" in auto.stdout.decode()


def test_plot_writes_a_picture(model, sound, tmp_path):
    lean_audio("predict", sound, "--model", model, "--plot", tmp_path / "out.png")
    picture = (tmp_path / "out.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 10_000


def test_pictures_have_their_own_names(model, sound, tmp_path):
    odd = tmp_path / "p_$5_and_$6.wav"
    odd.write_bytes(sound.read_bytes())
    lean_audio("predict", odd, sound, "--model", model, "--plot", tmp_path / "pictures")
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        *("p_$5_and_$6.wav.png", "noise.wav.png")
    }
    copy = tmp_path / "copy" / sound.name
    copy.parent.mkdir()
    copy.write_bytes(sound.read_bytes())
    twice = lean_audio("predict", sound, copy, "--model", model, "--plot", tmp_path, code=2)
    assert b"same name" in twice.stderr


def test_a_name_that_is_not_utf8_is_tagged_and_printed(model, sound, tmp_path):
    folder = tmp_path / "names"
    folder.mkdir()
    (folder / os.fsdecode(b"b\xff.wav")).write_bytes(sound.read_bytes())
    assert b"b\xff.wav" in lean_audio("predict", folder, "--model", model).stdout


def test_info_shows_what_is_inside(model):
    text = lean_audio("info", model).stdout.decode()
    for part in ("scheme:", "dataset: demo", "synthetic: True", "hop_s: 0.5", "licence:"):
        assert part in text


def test_the_only_model_here_is_found(finished, sound):
    done = lean_audio("predict", sound, cwd=finished.root)
    assert b"noise.wav" in done.stdout


def test_starting_up_imports_no_tensorflow_and_no_keras():
    code = "import lean_audio.cli.main, lean_audio.plot, sys; print([m for m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    modules = {name.split(".")[0] for name in eval(done.stdout)}  # noqa: S307
    assert "ai_edge_litert" in modules
    assert not modules & {"tensorflow", "keras", "pandas", "sklearn", "matplotlib", "librosa"}
