"""The pipeline as its users run it: dvc repro, dvc exp run, interruptions, a folder of sounds."""

import json
import os
import re
import shutil
import signal

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import VARIANTS, local, runs, write_layout


def test_repro_ends_in_a_report_with_every_variant(finished):
    report = (finished.root / "report" / "demo" / "report.md").read_text()
    page = (finished.root / "report" / "demo" / "index.html").read_text()
    for variant in VARIANTS:
        metrics = json.loads((finished.root / "metrics" / "demo" / f"{variant}.json").read_text())
        assert metrics["clips"] > 0
        assert 0 < metrics["mAP"] < 1
        assert metrics["synthetic"] is True
        assert metrics["yamnet_trained"] is False
        assert f"{metrics['mAP']:.4f}" in report
        assert re.search(rf"\b{variant}\b", page)
    for text in (report.lower(), page.lower()):
        assert "synthetic" in text
        assert "untrained" in text


def test_metrics_have_what_the_readme_promises(finished):
    folder = finished.root / "metrics" / "demo"
    metrics = json.loads((folder / "joint-bahdanau.json").read_text())
    assert set(metrics) >= {
        *("mAP", "mAUC", "d_prime", "d_prime_per_class", "lwlrap", "parameters", "clips"),
        *("classes_scored", "classes_without_positives"),
    }
    classes = pd.read_csv(folder / "joint-bahdanau.classes.csv")
    assert len(classes) == metrics["classes_scored"] + metrics["classes_without_positives"]
    assert classes["AP"].mean() == pytest.approx(metrics["mAP"])
    assert len(pd.read_csv(folder / "joint-bahdanau.history.csv")) == 2


def test_saved_scores_give_the_stated_map(finished):
    from lean_audio.datasets.layout import load_dataset
    from lean_audio.features.chunks import multi_hot
    from lean_audio.metrics.average_precision import mean_average_precision

    dataset = load_dataset(finished.root / "data" / "demo" / "clips")
    clips = dataset.clips[dataset.clips["split"] == "eval"]
    targets = multi_hot(clips["labels"].tolist(), dataset.vocabulary)
    for variant in VARIANTS:
        scores = np.load(finished.root / "data" / "demo" / "scores" / f"{variant}.npy")
        metrics = json.loads((finished.root / "metrics" / "demo" / f"{variant}.json").read_text())
        assert mean_average_precision(targets, scores) == pytest.approx(metrics["mAP"])


def test_saved_scores_are_those_of_the_saved_weights(finished, params, backbone):
    from lean_audio.datasets.layout import load_dataset
    from lean_audio.model import build_head
    from lean_audio.training.batches import open_examples
    from lean_audio.training.scoring import score_clips

    data = finished.root / "data" / "demo"
    vocabulary = load_dataset(data / "clips").vocabulary
    examples = open_examples(data / "audio", data / "embeddings", "eval", vocabulary)
    for variant in VARIANTS:
        head = build_head(params.variants[variant], len(vocabulary), backbone)
        head.load_weights(finished.root / "models/demo/heads" / f"{variant}.weights.h5")
        scores = score_clips(head, examples, params.evaluate.batch_size)
        np.testing.assert_allclose(scores, np.load(data / f"scores/{variant}.npy"), atol=1e-6)


def test_a_second_repro_runs_nothing(finished):
    assert "Running stage" not in finished.run("dvc", "repro")
    assert "up to date" in finished.run("dvc", "status")


def test_a_killed_run_taken_up_again_ends_in_the_same_bytes(finished):
    """What it made before is not in the cache, so nothing can come from there."""
    name = "models/demo/heads/joint-bahdanau.weights.h5"
    before = finished.hashes()
    md5 = before[name]
    (finished.root / name).unlink()
    (finished.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    process = finished.start("dvc", "repro")
    assert process.stdout
    assert any(line.startswith("Epoch 1/") for line in process.stdout)  # waits for the training
    assert process.poll() is None
    assert not (finished.root / name).exists()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert [run.info.status for run in runs(local(finished.root))].count("RUNNING") == 1
    output = finished.run("dvc", "repro")
    assert "Running stage 'train@joint-bahdanau'" in output
    assert finished.hashes() == before
    states = [run.info.status for run in runs(local(finished.root))]
    assert states == ["FINISHED"] * len(VARIANTS)


def test_a_folder_of_sounds_is_followed_and_the_demo_stays(finished, tmp_path):
    splits = {"a": "train", "b": "train", "c": "val", "d": "eval"}
    root = write_layout(tmp_path / "mine", {name: (s, "Bark,Dog") for name, s in splits.items()})
    finished.edit("params.yaml", "dataset: demo", "dataset: folder")
    finished.edit("params.yaml", "root: sounds", f"root: {root}")
    finished.run("dvc", "repro", "prepare")
    assert (finished.root / "data" / "folder" / "audio" / "clips.parquet").is_file()
    assert "up to date" in finished.run("dvc", "status", "prepare")
    changes = [
        lambda: soundfile.write(root / "FSD50K.dev_audio" / "a.wav", np.zeros(9000), 16_000),
        lambda: shutil.copy(root / "FSD50K.dev_audio/a.wav", root / "FSD50K.dev_audio/e.wav"),
        lambda: (root / "FSD50K.dev_audio" / "e.wav").unlink(),
        lambda: (root / "FSD50K.ground_truth" / "vocabulary.csv").open("a").write("2,Cat,\n"),
    ]
    for change in changes:
        change()
        assert "Running stage 'download'" in finished.run("dvc", "repro", "download")
    finished.run("dvc", "repro", "prepare")
    vocabulary = finished.root / "data" / "folder" / "clips" / "vocabulary.csv"
    assert "Cat" in vocabulary.read_text()
    finished.edit("params.yaml", "dataset: folder", "dataset: demo")
    finished.edit("params.yaml", f"root: {root}", "root: sounds")
    output = finished.run("dvc", "repro")
    assert "stages.train" not in output
    assert "up to date" in finished.run("dvc", "status")
    assert (finished.root / "metrics" / "folder" / "set_aside.csv").is_file()


def test_an_experiment_on_another_dataset_leaves_results_and_cache(finished):
    """`dvc exp run` takes its own files out of the workspace; results in git must stay."""
    finished.run("git", "add", "--all")
    finished.run("git", "commit", "--quiet", "--allow-empty", "--message", "results")
    settings = ("--set-param", "dataset=folder", "--set-param", "yamnet.source=nowhere")
    output = finished.run("dvc", "exp", "run", *settings, fails=True)
    assert "error: " in output
    for variant in VARIANTS:
        assert (finished.root / "metrics" / "demo" / f"{variant}.json").is_file()
    assert (finished.root / "report" / "demo" / "index.html").is_file()
    finished.run("git", "checkout", "--quiet", ".")
    output = finished.run("dvc", "repro")
    assert not re.search("stages.(train|evaluate|embed)", output)
    assert "up to date" in finished.run("dvc", "status")


def test_bad_input_is_one_sentence_and_leaves_nothing(make_clone):
    clone = make_clone()
    (clone.root / "sounds" / "FSD50K.ground_truth").mkdir()
    clone.edit("params.yaml", "dataset: demo", "dataset: folder")
    output = clone.run("dvc", "repro", fails=True)
    assert re.findall(r"^error: .*$", output, re.MULTILINE) == [
        "error: sounds/FSD50K.ground_truth/vocabulary.csv is missing: "
        "a dataset needs FSD50K's layout (sounds/README.md)"
    ]
    assert "Traceback" not in output
    assert not list(clone.root.glob("data/folder/clips/*"))
    clone.edit("params.yaml", "dataset: folder", "dataset: esc50")
    for stage in ("download", "report"):
        output = clone.stage(stage, fails=True)
        assert output.startswith("error: params.yaml: dataset: 'esc50'")
        assert output.count("\n") == 1
    clone.edit("params.yaml", "dataset: esc50", "dataset: demo")
    output = clone.stage("train", "lean", fails=True)
    assert "error: variant: 'lean' is not one of yamnet, " in output
    assert "Traceback" not in output
