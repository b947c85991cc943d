"""The shipped model and its command line, on what a real `dvc repro` wrote."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import lean_audio

from lean_audio import Tagger
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.device.recipes import BASE
from lean_audio.device.score import all_clips, score_files
from lean_audio.features.chunks import open_chunks
from lean_audio.metrics.average_precision import mean_average_precision
from lean_audio.metrics.f1 import mean_f1
from lean_audio.parallel.pool import open_pool
from lean_audio.tflite.card import read_card

UNTRAINED_TOLERANCE = 2e-3  # random weights enlarge rounding; test_real.py has the trained ones
SCHEMES = ("float32", "float16", "dynamic_int8", "weight_only_int8", "selective_int8", "int4")


@pytest.fixture(scope="module")
def metrics(finished) -> Path:
    return finished.root / "metrics" / "demo"


@pytest.fixture(scope="module")
def measured(metrics) -> dict:
    return json.loads((metrics / "device.json").read_text())


@pytest.fixture(scope="module")
def made(metrics) -> dict:
    return json.loads((metrics / "quantize.json").read_text())


@pytest.fixture
def predict(finished, capsysbinary):
    """(model, clips) -> the scores that the command line prints, (clips, classes)."""

    def run(model: Path, names: list[str]) -> np.ndarray:
        audio = finished.root / "data/demo/raw/FSD50K.eval_audio"
        files = [next(audio.glob(f"{name}.*")) for name in names]
        settings = ("--model", model, "--top", "all", "--format", "csv")
        rows = lean_audio(capsysbinary, "predict", *files, *settings).rows
        table = pd.DataFrame(rows).pivot(index="file", columns="label", values="score")
        ours = table.loc[[str(file) for file in files], Tagger(model).labels]
        return ours.astype(float).to_numpy()

    return run


def evaluation(finished):
    return open_chunks(finished.root / "data/demo/audio" / SPLIT_FOLDERS["eval"])


def test_every_scheme_has_a_file_or_a_reason(finished, measured, made):
    assert set(SCHEMES) <= set(measured["schemes"])
    assert set(measured["schemes"]) | set(made["failures"]) == {*SCHEMES, "full_int8"}
    for name, scheme in measured["schemes"].items():
        path = finished.root / "models" / "demo" / "device" / f"{name}.tflite"
        assert scheme["bytes"] == path.stat().st_size
        low, high = scheme["mAP_drop_ci95"]
        assert low <= high
        assert set(scheme["latency"]) == {"1", "2"}
        assert scheme["peak_memory_mb"] > 0
        labels, card = read_card(path)
        assert labels == list(evaluation(finished).vocabulary)
        assert (card["scheme"], card["variant"]) == (name, "joint-bahdanau")
        assert (card["dataset"], card["synthetic"], card["yamnet_trained"]) == ("demo", True, False)


def test_float32_on_device_has_keras_map_and_the_shipped_file_is_the_one_chosen_on_validation(
    finished, metrics, measured, made
):
    schemes = measured["schemes"]
    assert schemes["float32"]["score_difference_mean"] <= 1e-4
    assert schemes["float32"]["score_difference_max"] <= UNTRAINED_TOLERANCE
    assert schemes["float32"]["mAP"] == pytest.approx(measured["mAP_keras"], abs=1e-3)
    keras = json.loads((finished.record("joint-bahdanau") / "metrics.json").read_text())
    assert measured["mAP_keras"] == keras["mAP"]
    shipped = measured["shipped"]
    good = [
        name
        for name, row in schemes.items()
        if row["validation"]["mAP_drop"] <= 0.002 and row["bytes"] <= 4_750_000
    ]
    assert shipped in good
    ms = {name: schemes[name]["latency"]["1"]["median_ms"] for name in good}
    assert ms[shipped] <= 1.051 * min(ms.values())
    assert {name: row["validation"] for name, row in schemes.items()} == made["validation"]
    assert made["validation"]["float32"]["mAP_drop"] == 0
    reasons = {name: row["reason"] for name, row in schemes.items()}
    assert [name for name, reason in reasons.items() if "shipped" in reason] == [shipped]
    assert all(reasons.values())
    models = finished.root / "models" / "demo"
    assert (models / "lean.tflite").read_bytes() == (
        models / "device" / f"{shipped}.tflite"
    ).read_bytes()
    stated = json.loads((metrics / "shipped.json").read_text())
    row = {key: schemes[shipped][key] for key in ("bytes", "mAP", "mAP_drop")}
    assert stated.items() >= {"scheme": shipped, **row}.items()
    assert stated["false_alarms_noise"] == schemes[shipped]["false_alarms"]["noise"]


def test_each_file_has_thresholds_that_fit_its_own_scores(finished, made):
    """F1 on validation, of the thresholds inside the file and the scores of the command line."""
    chunks = open_chunks(finished.root / "data/demo/audio" / SPLIT_FOLDERS["val"])
    device = finished.root / "models/demo/device"
    rows = all_clips(finished.root / "data/demo/audio" / SPLIT_FOLDERS["val"])
    with open_pool(1, __name__) as pool:
        models = [device / "int4.tflite", device / "float32.tflite"]
        for model, scores in zip(models, score_files(pool, models, rows), strict=True):
            thresholds = np.array(read_card(model)[1]["thresholds"], np.float32)
            f1 = mean_f1(chunks.clip_targets, scores, thresholds)
            assert f1 == pytest.approx(made["validation"][model.stem]["F1"], abs=1e-4)


@pytest.mark.parametrize("scheme", ["weight_only_int8", "int4"])
def test_the_command_lines_scores_give_the_stated_map(finished, measured, predict, scheme):
    """The whole evaluation split, decoded anew and tagged by the scheme's own file."""
    chunks = evaluation(finished)
    model = finished.root / "models/demo/device" / f"{scheme}.tflite"
    scores = predict(model, chunks.clips["clip"].tolist())
    mean_ap = mean_average_precision(chunks.clip_targets, scores)
    assert mean_ap == pytest.approx(measured["schemes"][scheme]["mAP"], abs=3e-4)


def test_predict_gives_the_pipelines_scores(finished, predict):
    """Every evaluation clip, decoded anew by the command line, against the evaluate stage."""
    names = evaluation(finished).clips["clip"].tolist()
    scores = np.load(finished.root / "data/demo/scores/joint-bahdanau-1.npy")
    ours = predict(finished.root / "models/demo/device/float32.tflite", names)
    assert len(ours) == len(scores) >= 10
    assert np.abs(ours - scores).max() <= UNTRAINED_TOLERANCE


def test_sensitivity_has_every_group_twice_and_the_mix_is_the_chosen_ones(metrics, made):
    table = pd.read_csv(metrics / "sensitivity.csv")
    for scheme, kind in (("int4", "int4"), ("selective_int8", "dynamic")):
        rows = table[table["kind"] == kind].reset_index()
        chosen = rows[rows["chosen"]]
        assert BASE | dict.fromkeys(chosen["group"], kind) == made["mixes"][scheme]
        assert 0 < len(chosen) < len(rows)
        assert chosen.index.tolist() == list(range(len(chosen)))
        assert rows["cumulative_change"].notna().any()
    assert table["kind"].value_counts().to_dict() == {"int4": 18, "dynamic": 18}


def test_the_report_sets_the_files_beside_the_papers(finished):
    for name in ("report.md", "index.html"):
        text = (finished.root / "report" / "demo" / name).read_text().replace("\\_", "_")
        for scheme in SCHEMES:
            assert scheme in text
        assert "paper: TKD Att-RNN" in text
        assert "0.3471" in text
        assert "plain YAMNet, float32 (baseline)" in text
