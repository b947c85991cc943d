"""Which run of a training is kept, and which are taken for leftovers; on a real local database."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from helpers import ROOT

from lean_audio.errors import LeanError
from lean_audio.tracking.records import RunRecord
from lean_audio.tracking.store import (
    Store,
    is_alive,
    log_metrics,
    log_params,
    open_store,
    repository_root,
    this_process,
)
from lean_audio.tracking.sync import (
    UntrackedError,
    complete,
    find_or_make,
    track,
    track_or_postpone,
)

TAGS = {"variant": "yamnet", "inputs": "in", "weights_sha256": "out"}


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory, params) -> Path:
    """MLflow takes a second to make one, so each test gets a copy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("DVC_ROOT", str(root := tmp_path_factory.mktemp("store")))
        open_store(params.model_copy(update={"dataset": "none"}))
    return root / "mlruns" / "mlflow.db"


@pytest.fixture
def store(tmp_path: Path, params, empty_database, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "mlruns").mkdir()
    shutil.copy(empty_database, tmp_path / "mlruns" / "mlflow.db")
    return open_store(params)


@pytest.fixture
def record() -> RunRecord:
    curves = pd.DataFrame(
        {"epoch": [1, 2], "loss": [0.5, 0.4], "val_loss": [0.6, 0.5], "val_mAP": [0.1, 0.2]}
    )
    return RunRecord(
        "yamnet", TAGS, {"seed": "1"}, curves, {"mAP": 0.3}, {"results": {"tables/a.csv": b"a\n"}}
    )


def add(store: Store, status: str, **tags: str) -> str:
    run = store.client.create_run(store.experiment, tags=TAGS | tags)
    if status != "RUNNING":
        store.client.set_terminated(run.info.run_id, status)
    return run.info.run_id


def active(store: Store) -> list[str]:
    return [run.info.run_id for run in store.runs("in")]


def dead_process() -> str:
    code = "from lean_audio.tracking.store import this_process; print(this_process())"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    ).stdout.strip()


def test_the_database_is_at_the_root_whatever_the_working_directory(store, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert repository_root() == tmp_path
    assert (tmp_path / "mlruns" / "mlflow.db").is_file()
    assert not Path("/mlruns").exists()


def test_a_server_named_by_the_environment_comes_first(tmp_path, monkeypatch):
    from lean_audio.tracking.store import store_uri

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert store_uri(tmp_path) == "http://127.0.0.1:9"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert store_uri(tmp_path).startswith(f"sqlite:///{tmp_path}/mlruns/mlflow.db")


def test_only_this_very_process_counts_as_alive():
    assert is_alive(this_process())
    assert not is_alive(dead_process())
    host, pid, _ = this_process().split(" ")
    assert not is_alive(f"{host} {pid} 1.0")  # the number went to another process


def test_leftovers_are_cleared_and_a_training_that_goes_on_is_not(store):
    kept = [add(store, "RUNNING", process=this_process()), add(store, "FINISHED")]
    for status in ("RUNNING", "FAILED", "KILLED"):
        add(store, status, process=dead_process())
    store.clear_unfinished("in")
    assert sorted(active(store)) == sorted(kept)


def test_another_machines_training_may_go_on_for_a_day(store, monkeypatch):
    elsewhere = add(store, "RUNNING", process="elsewhere 1 1.0")
    store.clear_unfinished("in")
    assert active(store) == [elsewhere]
    monkeypatch.setattr("lean_audio.tracking.store.STALE_AFTER_S", -1)
    store.clear_unfinished("in")
    assert active(store) == []


def test_a_dead_training_with_other_inputs_is_ended_and_kept(store):
    run_id = add(store, "RUNNING", inputs="others", process=dead_process())
    store.clear_unfinished("in")
    assert store.client.get_run(run_id).info.status == "KILLED"


@pytest.mark.specialist
def test_two_processes_that_open_a_new_store_at_once_get_the_same_one(tmp_path):
    code = (
        "from lean_audio.config.params import load_params;"
        "from lean_audio.tracking.store import open_store;"
        "print(open_store(load_params()).experiment)"
    )
    environment = os.environ | {"DVC_ROOT": str(tmp_path)}
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    assert {opener.communicate()[0] for opener in openers} == {b"1\n"}
    assert sorted(path.name for path in (tmp_path / "mlruns").iterdir()) == ["lock", "mlflow.db"]


def test_a_deleted_experiment_comes_back(store, params):
    store.client.delete_experiment(store.experiment)
    assert open_store(params).experiment == store.experiment
    add(store, "FINISHED")


def test_an_experiment_survives_a_dead_server_and_other_runs_say_so(params, monkeypatch, capsys):
    def fail(_):
        raise UntrackedError("MLflow failed (down)")

    monkeypatch.setattr("lean_audio.tracking.sync.track", fail)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    with pytest.raises(UntrackedError):
        track_or_postpone(params)
    monkeypatch.setenv("DVC_EXP_NAME", "mine")
    assert track_or_postpone(params) == {"pending": True}
    assert capsys.readouterr().err == "warning: MLflow failed (down)\n"


def test_of_two_finished_runs_of_one_training_the_older_stays(store, record):
    first, second = add(store, "FINISHED"), add(store, "FINISHED")
    other = add(store, "FINISHED", weights_sha256="other code, other weights")
    assert find_or_make(store, record) == first
    assert second not in active(store)
    assert other in active(store)


def test_completing_twice_logs_nothing_twice(store, record):
    run_id = find_or_make(store, record)
    for _ in range(2):
        complete(store, run_id, record)
    client = store.client
    assert [m.step for m in client.get_metric_history(run_id, "loss")] == [1, 2]
    assert [m.value for m in client.get_metric_history(run_id, "mAP")] == [0.3]
    assert [file.path for file in client.list_artifacts(run_id, "tables")] == ["tables/a.csv"]
    assert client.get_run(run_id).info.status == "FINISHED"


def test_a_run_that_was_watched_gets_only_what_it_lacks(store, record):
    run_id = add(store, "FINISHED")
    log_metrics(store, run_id, {"loss": 0.5, "val_loss": 0.6, "val_mAP": 0.1}, 1)
    log_params(store, run_id, {"seed": "1"})
    complete(store, find_or_make(store, record), record)
    assert [m.step for m in store.client.get_metric_history(run_id, "val_mAP")] == [1, 2]


def test_a_param_stays_as_it_was_first_logged(store, record):
    run_id = find_or_make(store, record)
    log_params(store, run_id, {"seed": "1"})
    log_params(store, run_id, {"seed": "2", "more": "3"})
    assert store.client.get_run(run_id).data.params == {"seed": "1", "more": "3"}


def test_results_that_are_not_there_are_named(params, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LeanError, match=r"metrics/demo/provenance\.json is missing: stage embed"):
        track(params)
