"""The pipeline as its users run it: dvc repro, interruptions, a folder of sounds, bad input."""

import json
import os
import re
import shutil
import signal

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import RUNS, VARIANTS, local, runs, write_layout

from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.features.chunks import open_chunks

ROUNDED = 1e-4  # every class is rounded, and so is the mean
# `dvc status` alone also lists the downloads of datasets that were never used
ALL_STAGES = ("dvc.yaml", "datasets/demo/dvc.yaml")


def read(path) -> dict:
    return json.loads(path.read_text())


def test_repro_ends_in_a_report_with_every_variant(finished):
    report = (finished.root / "report" / "demo" / "report.md").read_text()
    page = (finished.root / "report" / "demo" / "index.html").read_text()
    provenance = read(finished.root / "metrics" / "demo" / "provenance.json")
    assert provenance["dataset"]["synthetic"] is True
    assert provenance["yamnet"]["trained"] is False
    for variant in VARIANTS:
        metrics = read(finished.record(variant) / "metrics.json")
        assert metrics["clips"] == provenance["dataset"]["clips"]["eval"] > 0
        assert 0 < metrics["mAP"] < 1
        assert provenance["data_sha256"]["eval"].startswith(metrics["data"])
        assert f"{metrics['mAP']:.4f}" in report
        assert re.search(rf"\b{variant}\b", page)
    for text in (report.lower(), page.lower()):
        assert "synthetic" in text
        assert "untrained" in text


def test_a_training_has_one_record(finished):
    folder = finished.record("joint-bahdanau")
    metrics, training = read(folder / "metrics.json"), read(folder / "training.json")
    assert set(metrics) >= {
        *("mAP", "mAUC", "d_prime", "d_prime_per_class", "lwlrap", "micro_AP", "clips"),
        *("classes_scored", "classes_without_positives"),
    }
    classes = pd.read_csv(folder / "tables" / "classes.csv")
    assert len(classes) == metrics["classes_scored"] + metrics["classes_without_positives"]
    assert classes["AP"].mean() == pytest.approx(metrics["mAP"], abs=ROUNDED)
    history = pd.read_csv(folder / "history.csv")
    assert len(history) == training["epochs"] == 2
    assert training["val_mAP"] == history["val_mAP"].max()
    assert (training["model"], training["seed"]) == ("joint-bahdanau", 1)
    provenance = read(folder.parents[1] / "provenance.json")
    for split in ("train", "val"):
        assert training["data_sha256"][split] == provenance["data_sha256"][split]
    head = read(finished.root / "models/demo/heads/joint-bahdanau-1/network.json")
    assert head["network"]["encoder"]["attention"] == {"kind": "bahdanau", "units": 128}


def test_saved_scores_give_the_stated_map(finished):
    from lean_audio.metrics.average_precision import mean_average_precision

    targets = open_chunks(finished.root / "data/demo/audio" / SPLIT_FOLDERS["eval"]).clip_targets
    for variant in VARIANTS:
        scores = np.load(finished.root / "data" / "demo" / "scores" / f"{variant}-1.npy")
        metrics = read(finished.record(variant) / "metrics.json")
        mean_ap = mean_average_precision(targets, scores)
        assert round(mean_ap, 4) == metrics["mAP"]


def test_saved_scores_are_those_of_the_saved_head(finished, backbone):
    from lean_audio.training.batches import open_examples
    from lean_audio.training.heads import read_head
    from lean_audio.training.scoring import score_clips

    data = finished.root / "data" / "demo"
    examples = open_examples(data / "audio", data / "embeddings", "eval")
    classes = len(examples.chunks.vocabulary)
    models = finished.root / "models" / "demo"
    for name in VARIANTS:
        head = read_head(models / "heads" / f"{name}-1")
        assert head.model == name
        scores = score_clips(head.open(classes, backbone), examples)
        np.testing.assert_allclose(scores, np.load(data / f"scores/{name}-1.npy"), atol=1e-6)
    assert read_head(models / "headline").model == "joint-bahdanau"
    copied = (data / "headline.npy").read_bytes()
    assert copied == (data / "scores/joint-bahdanau-1.npy").read_bytes()


def test_a_second_repro_runs_nothing(finished):
    assert "Running stage" not in finished.run("dvc", "repro", "--dry")
    assert "up to date" in finished.run("dvc", "status", *ALL_STAGES)


@pytest.mark.specialist
def test_a_killed_run_taken_up_again_ends_in_the_same_bytes(working):
    """What it made before is not in the cache, so nothing can come from there."""
    name = "models/demo/heads/joint-bahdanau-1"
    before = working.hashes()
    shutil.rmtree(working.root / name)
    (working.root / ".dvc/cache/files/md5" / before[name][:2] / before[name][2:]).unlink()
    process = working.start("dvc", "repro", "train@joint-bahdanau-1")
    while not any(run.info.status == "RUNNING" for run in runs(local(working.root))):
        assert process.poll() is None  # the training begins
    assert not (working.root / name / "head.weights.h5").exists()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert [run.info.status for run in runs(local(working.root))].count("RUNNING") == 1
    output = working.run("dvc", "repro", "train@joint-bahdanau-1")
    assert "Running stage 'train@joint-bahdanau-1'" in output
    assert working.hashes() == before
    states = [run.info.status for run in runs(local(working.root))]
    assert states == ["FINISHED"] * len(VARIANTS)


def test_a_folder_of_sounds_is_followed_and_the_demo_stays(working, tmp_path):
    splits = {"a": "train", "b": "train", "c": "val", "d": "eval"}
    root = write_layout(
        tmp_path / "mine",
        {name: (s, "Bark,Dog" if name > "a" else "Dog") for name, s in splits.items()},
    )
    working.edit("params.yaml", "dataset: demo", "dataset: sounds")
    working.edit("datasets/sounds/params.yaml", "root: sounds", f"root: {root}")
    working.run("dvc", "repro", "prepare")
    assert (working.root / "data" / "sounds" / "audio" / "eval" / "clips.parquet").is_file()
    assert "up to date" in working.run("dvc", "status", "prepare")
    changes = [
        lambda: soundfile.write(root / "FSD50K.dev_audio" / "a.wav", np.zeros(9000), 16_000),
        lambda: shutil.copy(root / "FSD50K.dev_audio/a.wav", root / "FSD50K.dev_audio/e.wav"),
        lambda: (root / "FSD50K.ground_truth" / "vocabulary.csv").open("a").write("2,Cat,\n"),
    ]
    for change in changes:
        change()
        output = working.run("dvc", "status", "datasets/sounds/dvc.yaml:download")
        assert "modified" in output
    working.run("dvc", "repro", "prepare")
    vocabulary = working.root / "data" / "sounds" / "clips" / "vocabulary.csv"
    assert "Cat" in vocabulary.read_text()
    working.edit("params.yaml", "dataset: sounds", "dataset: demo")
    working.edit("datasets/sounds/params.yaml", f"root: {root}", "root: sounds")
    output = working.run("dvc", "repro")
    assert not re.search("stages.(train|evaluate|embed|quantize)", output)
    assert (working.root / "metrics" / "sounds" / "set_aside.csv").is_file()


def test_an_experiment_on_another_dataset_leaves_results_and_cache(working):
    """`dvc exp run` takes its own files out of the workspace; results in git must stay."""
    settings = ("--set-param", "dataset=sounds", "--set-param", "yamnet.source=nowhere")
    output = working.run("dvc", "exp", "run", *settings, fails=True)
    assert "error: " in output
    for variant in VARIANTS:
        assert (working.record(variant) / "metrics.json").is_file()
    assert (working.root / "report" / "demo" / "index.html").is_file()
    working.run("git", "checkout", "--quiet", ".")
    output = working.run("dvc", "repro")
    assert not re.search("stages.(train|evaluate|embed)", output)
    assert "up to date" in working.run("dvc", "status", *ALL_STAGES)
    assert {run.info.run_name for run in runs(local(working.root))} == RUNS


def test_bad_input_is_one_sentence_and_leaves_nothing(make_clone):
    clone = make_clone()
    (clone.root / "sounds" / "FSD50K.ground_truth").mkdir()
    clone.edit("params.yaml", "dataset: demo", "dataset: sounds")
    output = clone.run("dvc", "repro", fails=True)
    assert re.findall(r"^error: .*$", output, re.MULTILINE) == [
        "error: sounds/FSD50K.ground_truth/vocabulary.csv is missing: "
        "a dataset needs FSD50K's layout (sounds/README.md)"
    ]
    assert "Traceback" not in output
    assert not list(clone.root.glob("data/sounds/clips/*"))
    clone.edit("params.yaml", "dataset: sounds", "dataset: esc50")
    output = clone.stage("report", fails=True)
    assert output.startswith("error: params.yaml: dataset: 'esc50' is not one of demo, fsd50k, ")
    assert output.count("\n") == 1
    clone.edit("params.yaml", "dataset: esc50", "dataset: demo")
    output = clone.stage("train", "--model", "lean", "--seed", "1", fails=True)
    assert "error: model: 'lean' is not one of yamnet, " in output
    assert "Traceback" not in output


@pytest.mark.parametrize("name", ["my model", "a;touch X"])
def test_a_models_name_reaches_no_shell(make_clone, name):
    """A stage that is run alone, before any other has checked the names."""
    clone = make_clone()
    clone.edit(
        "models.yaml", "\n  recipe:", f"\n  {name!r}: {{network: {{}}, train: {{}}}}\n  recipe:"
    )
    clone.edit("params.yaml", "  - joint-bahdanau\n", f"  - joint-bahdanau\n  - {name!r}\n")
    output = clone.run("dvc", "repro", "--single-item", f"train@{name}-1", fails=True)
    assert not (clone.root / "X").exists()
    assert "Traceback" not in output
