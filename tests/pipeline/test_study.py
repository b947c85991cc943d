"""More seeds and the ingredients of plus: a stage each, run bit by bit."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from helpers import VARIANTS, local, runs
from mlflow.tracking import MlflowClient


@pytest.fixture
def clone(finished, tmp_path) -> Iterator[Any]:
    """The finished one, whose own results are put back."""
    changed = [finished.root / name for name in ("params.yaml", "dvc.lock")]
    before = [path.read_bytes() for path in changed]
    report = finished.root / "report" / "demo"
    shutil.copytree(report, tmp_path / "report")
    yield finished
    for path, content in zip(changed, before, strict=True):
        path.write_bytes(content)
    shutil.copytree(tmp_path / "report", report, dirs_exist_ok=True)
    shutil.rmtree(finished.root / "metrics" / "demo" / "study")
    uri = local(finished.root)
    for run in runs(uri):
        if run.info.run_name not in VARIANTS:
            MlflowClient(uri).delete_run(run.info.run_id)


def test_one_model_and_seed_at_a_time(clone):
    clone.edit("params.yaml", "  seeds: [] #", "  seeds: [2, 3] #")
    clone.edit("params.yaml", "ingredient_seeds: [] #", "ingredient_seeds: [1] #")
    wanted = ("repeat@yamnet-projection-2", "ingredient@dropout-1")
    output = clone.run("dvc", "repro", *wanted)
    for stage in wanted:
        assert f"Running stage '{stage}'" in output
    assert "-3'" not in output
    study = clone.root / "metrics" / "demo" / "study"
    again = json.loads((study / "yamnet-projection-2.json").read_text())
    assert (again["model"], again["seed"]) == ("yamnet-projection", 2)
    clone.stage("repeat", "yamnet-projection", "1")  # the main training's seed
    same = json.loads((study / "yamnet-projection-1.json").read_text())
    main = json.loads((study.parent / "yamnet-projection.json").read_text())
    assert same["mAP"] == main["mAP"] != again["mAP"]
    provenance = json.loads((study.parent / "provenance.json").read_text())
    training = json.loads((study.parent / "yamnet-projection.training.json").read_text())
    for run in (again, same):
        assert run["data_sha256"] == provenance["data_sha256"]
        for fact in ("settings_sha256", "parameters", "backend"):
            assert run[fact] == training[fact]
    step = json.loads((study / "dropout-1.json").read_text())
    assert (step["after"], step["change"]) == ("rectified", "dropout of 0.65")
    output = clone.run("dvc", "repro", "--single-item", "report")  # README's command
    assert "Running stage 'report'" in output
    assert "Running stage 'repeat" not in output
    page = (clone.root / "report" / "demo" / "report.md").read_text()
    assert "| yamnet-projection | 2 |" in page
    table = (study / "yamnet-projection-1.resampled.csv").read_bytes()
    assert table == (study.parent / "yamnet-projection.resampled.csv").read_bytes()
    clone.stage("track")
    tracked = {run.info.run_name: run for run in runs(local(clone.root))}
    assert set(tracked) == {*VARIANTS, "yamnet-projection, seed 2", "dropout, seed 1"}
    run = tracked["dropout, seed 1"]
    assert run.data.metrics["mAP"] == step["mAP"]
    assert (run.data.params["train.epochs"], run.data.params["variant.dropout"]) == ("20", "0.65")
    assert run.data.metrics["best_val_mAP"] == step["val_mAP"]
    assert (run.data.tags["seed"], run.info.status) == ("1", "FINISHED")
    assert run.data.tags["backend"] == "tensorflow"
    assert "git_commit" not in run.data.tags  # it was not there, and may have been elsewhere
    path = study / "dropout-1.json"
    path.write_text(json.dumps(step | {"mAP": 0.5, "backend": "jax"}))
    clone.stage("track")
    again = {run.info.run_name: run for run in runs(local(clone.root))}
    assert len(again) == len(tracked) == len(runs(local(clone.root)))
    run = again["dropout, seed 1"]
    assert (run.data.metrics["mAP"], run.data.tags["backend"]) == (0.5, "jax")
    output = clone.stage("repeat", "lean", "2", fails=True)
    assert "error: model: 'lean' is not one of yamnet, " in output
