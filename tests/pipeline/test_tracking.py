"""What MLflow holds after real runs of the pipeline, read through MLflow's own client."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import pytest
from helpers import RUNS, VARIANTS, local, runs, wait_for
from mlflow.tracking import MlflowClient
from tracked import CURVES, curve, snapshot

DEAD_SERVER = "http://127.0.0.1:9"
TRAIN = ("--model", "joint-affinity", "--seed", "1")


@contextmanager
def variable(clone: Any, name: str, value: str) -> Iterator[None]:
    clone.environment[name] = value
    yield
    del clone.environment[name]


def test_repro_leaves_one_complete_run_per_training(finished):
    found = snapshot(local(finished.root))
    assert len(runs(local(finished.root))) == len(VARIANTS)
    assert set(found) == RUNS
    for variant in VARIANTS:
        run, record = found[f"{variant}-1"], finished.record(variant)
        history = pd.read_csv(record / "history.csv")
        assert run["status"] == "FINISHED"
        for name in CURVES:
            assert run["curves"][name] == list(zip(history["epoch"], history[name], strict=True))
        stated = json.loads((record / "metrics.json").read_text())
        for name, value in stated.items():
            if isinstance(value, float | int) and not isinstance(value, bool):
                assert run["metrics"][name] == value
        assert run["params"]["variant.name"] == variant
        assert run["params"]["train.epochs"] == "2"
        assert run["tags"]["dataset_kind"] == "synthetic"
        assert run["tags"]["yamnet_trained"] == "false"
        assert len(run["tags"]["git_commit"]) == 40
        assert {"weights/head.weights.h5", "tables/classes.csv", "plots/learning.svg"} <= set(
            run["artifacts"]
        )


def test_on_device_metrics_are_on_the_run_they_belong_to(finished):
    found = snapshot(local(finished.root))
    device = json.loads((finished.root / "metrics/demo/device.json").read_text())
    run = found.pop("joint-bahdanau-1")
    assert run["metrics"]["device/int4/bytes"] == device["schemes"]["int4"]["bytes"]
    assert run["metrics"]["shipped/mAP"] == device["schemes"][device["shipped"]]["mAP"]
    assert "device/lean.tflite" in run["artifacts"]
    assert "device/int4/bytes" not in found["joint-affinity-1"]["metrics"]


@pytest.mark.specialist
def test_deleted_runs_are_made_again_by_repro(working):
    before = snapshot(local(working.root))
    shutil.rmtree(working.root / "mlruns")
    output = working.run("dvc", "repro")
    assert "stages.train" not in output
    after = snapshot(local(working.root))
    assert set(after) == set(before)
    for name, run in after.items():
        for what in ("params", "metrics", "curves", "artifacts"):
            assert run[what] == before[name][what]


@pytest.mark.specialist
def test_without_a_server_training_warns_once_and_tracking_says_what_to_do(working):
    finished = working
    weights = finished.root / "models/demo/heads/joint-affinity-1/head.weights.h5"
    before = weights.read_bytes()
    with variable(finished, "MLFLOW_TRACKING_URI", DEAD_SERVER):
        output = finished.stage("train", *TRAIN)
        assert output.count("warning: MLflow failed (") == 1
        assert weights.read_bytes() == before
        with variable(finished, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1"):
            output = finished.stage("track", fails=True)
    assert output.splitlines()[-1].startswith("error: MLflow failed (")
    assert "Traceback" not in output


@pytest.fixture
def server(tmp_path) -> Iterator[str]:
    """A real MLflow server on loopback, with a database of its own."""
    uri = "http://127.0.0.1:5187"
    command = [sys.executable, "-m", "mlflow", "server", "--port", "5187", "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
    command += ["--artifacts-destination", str(tmp_path / "artifacts")]
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_for(f"{uri}/health")
            yield uri
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.specialist
def test_a_shared_server_gets_live_epochs_and_complete_runs(working, server):
    finished = working
    with variable(finished, "MLFLOW_TRACKING_URI", server):
        output = finished.stage("train", *TRAIN)
        assert "warning" not in output
        (live,) = runs(server)
        assert len(curve(MlflowClient(server), live, "val_mAP")) == 2
        assert "mAP" not in live.data.metrics
        finished.stage("track")
    found = snapshot(server)
    assert set(found) == RUNS
    assert len(runs(server)) == len(VARIANTS)
    assert "mAP" in found["joint-affinity-1"]["metrics"]
    assert live.info.run_id in {run.info.run_id for run in runs(server)}
    assert "device/lean.tflite" in found["joint-bahdanau-1"]["artifacts"]


@pytest.mark.specialist
def test_parallel_experiments_in_workspaces_of_their_own_share_the_store(working):
    finished = working
    for seed in ("11", "12"):
        queued = ("--queue", "--name", f"seed-{seed}", "--set-param", f"seeds=[{seed}]")
        finished.run("dvc", "exp", "run", *queued, f"train@joint-affinity-{seed}")
    finished.run("dvc", "queue", "start", "--jobs", "2")
    until = time.monotonic() + 240
    while "Running" in (state := finished.run("dvc", "queue", "status")) or "Queued" in state:
        assert time.monotonic() < until, state
        time.sleep(5)  # to ask costs seconds of a core
    assert state.count("Success") == 2, state
    uri = local(finished.root)
    queued = {run.data.tags["dvc_experiment"]: run for run in runs(uri)}
    for seed in ("11", "12"):
        run = queued[f"seed-{seed}"]
        assert (run.info.status, run.data.tags["seed"]) == ("FINISHED", seed)
        assert len(curve(MlflowClient(uri), run, "loss")) == 2
        MlflowClient(uri).delete_run(run.info.run_id)
