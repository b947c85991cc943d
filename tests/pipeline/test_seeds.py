"""More seeds and more models: the same stages, files and reader, run one by one."""

import json
import re

import pytest
from helpers import RUNS, local, runs


@pytest.mark.specialist
def test_one_model_and_seed_at_a_time(working):
    root = working.root
    working.edit("params.yaml", "seeds: [1]", "seeds: [1, 2, 3]")
    working.edit("params.yaml", "  - joint-bahdanau\n", "  - joint-bahdanau\n  - dropout\n")
    output = working.run("dvc", "repro", "evaluate@dropout-1")
    ran = re.findall(r"Running stage '(\S+)'", output)
    assert ran == ["train@dropout-1", "evaluate@dropout-1"]
    first, step = (
        {
            **json.loads((record / "training.json").read_text()),
            **json.loads((record / "metrics.json").read_text()),
        }
        for record in (working.record("joint-affinity", 1), working.record("dropout", 1))
    )
    assert (step["model"], step["seed"]) == ("dropout", 1)
    for fact in ("data_sha256", "backend", "data"):
        assert first[fact] == step[fact]
    assert step["settings_sha256"] != first["settings_sha256"]
    output = working.run("dvc", "repro", "--single-item", "report")  # as the docs say
    assert "Running stage 'report'" in output
    assert "Running stage 'train" not in output
    page = (root / "report" / "demo" / "report.md").read_text()
    assert "| dropout | 1 |" in page  # one seed
    working.edit("params.yaml", "seeds: [1, 2, 3]", "seeds: [1]")  # what there is stays tracked
    working.stage("track")
    tracked = {run.info.run_name: run for run in runs(local(root))}
    assert set(tracked) == {*RUNS, "dropout-1"}
    run = tracked["dropout-1"]
    assert run.data.metrics["mAP"] == step["mAP"]
    assert (run.data.params["train.epochs"], run.data.params["variant.dropout"]) == ("2", "0.65")
    assert run.data.metrics["best_val_mAP"] == step["val_mAP"]
    assert (run.data.tags["seed"], run.info.status) == ("1", "FINISHED")
    assert run.data.tags["backend"] == "tensorflow"
    facts = working.record("dropout", 1) / "training.json"
    facts.write_text(facts.read_text().replace(step["settings_sha256"], "0" * 64))
    working.run("dvc", "repro", "--single-item", "report")  # a stale training stops nothing
    page = (root / "report" / "demo" / "report.md").read_text()
    assert "| dropout | 1 |" not in page
    assert "1 with other settings: dropout (seed 1)" in page


@pytest.mark.specialist
def test_a_record_without_weights_is_tracked_by_its_files(working):
    """As the committed results on the real sounds, whose weights are not in git."""
    root = working.root
    model = "joint-affinity"
    record, copy = working.record(model, 1), working.record(model, 7)
    copy.mkdir()
    (copy / "tables").mkdir()
    for name in ("training.json", "metrics.json", "tables/resampled.csv"):
        (copy / name).write_text((record / name).read_text().replace('"seed": 1', '"seed": 7'))
    working.stage("track")
    run = {run.info.run_name: run for run in runs(local(root))}[f"{model}-7"]
    assert run.data.tags["weights_sha256"] == "none kept"
    assert "git_commit" not in run.data.tags  # the training may have been elsewhere
    assert "prepare.tail" not in run.data.params
    before = run.data.metrics["mAP"]
    metrics = json.loads((copy / "metrics.json").read_text())
    (copy / "metrics.json").write_text(json.dumps(metrics | {"mAP": 0.5}))
    working.stage("track")
    found = [run for run in runs(local(root)) if run.info.run_name == f"{model}-7"]
    assert [run.data.metrics["mAP"] for run in found] == [0.5] != [before]
