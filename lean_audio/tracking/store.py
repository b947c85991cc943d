"""Where MLflow keeps the runs, and how one run is told from another.

A SQLite file in `mlruns/` at the repository's root, whatever the working directory or DVC's
temporary workspace; MLFLOW_TRACKING_URI, a shared server say, comes before it. One experiment a
dataset, one run a training: the tag `inputs` says what went in, `weights_sha256` what came out.
"""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from filelock import FileLock

from lean_audio.config.params import Params
from lean_audio.files import whole

if TYPE_CHECKING:  # a second to import: only where runs are written
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

LOCK_S = 120  # how long to wait for another process that opens the store
BUSY_S = 60  # how long SQLite waits for another process that writes
RETRIES = "3"  # of MLflow's, with growing pauses: seconds, not minutes
BATCH = 1000  # metrics that MLflow takes at a time
FOREIGN_S = 24 * 3600  # a training on another machine that began no longer ago may still go on


def repository_root() -> Path:
    """The project's root; of an experiment in a temporary workspace, the parent project's."""
    if stated := os.environ.get("DVC_ROOT"):
        return Path(stated)
    try:
        from git import InvalidGitRepositoryError, Repo
    except ImportError:  # there is no git
        return Path.cwd()
    try:
        return Path(Repo(search_parent_directories=True).working_dir)
    except InvalidGitRepositoryError:
        return Path.cwd()


def store_uri(root: Path) -> str:
    local = f"sqlite:///{root.resolve() / 'mlruns' / 'mlflow.db'}?timeout={BUSY_S}"
    return os.environ.get("MLFLOW_TRACKING_URI") or local


@dataclass(frozen=True)
class Store:
    """One dataset's experiment; its methods raise whatever MLflow raises."""

    client: "MlflowClient"
    experiment: str
    folder: Path

    def lock(self) -> FileLock:
        """Held while runs are looked for and made, so that two processes do not make the same."""
        return FileLock(self.folder / "lock", timeout=LOCK_S)

    def runs(self, inputs: str) -> list["Run"]:
        """The runs of a training with these inputs, the oldest first."""
        return list(
            self.client.search_runs(
                [self.experiment], f"tags.inputs = '{inputs}'", order_by=["attributes.start_time"]
            )
        )

    def clear_unfinished(self, inputs: str) -> None:
        """Delete what crashed or cancelled trainings with these inputs left; end other dead ones.

        Deletes no run of a training that may still go on.
        """
        running = self.client.search_runs([self.experiment], "attributes.status = 'RUNNING'")
        for run in running:
            if not may_go_on(run):
                self.client.set_terminated(run.info.run_id, "KILLED")
        for run in self.runs(inputs):
            if run.info.status in ("FAILED", "KILLED"):
                self.client.delete_run(run.info.run_id)


def finished(runs: list["Run"], weights_sha256: str) -> list["Run"]:
    """Of these runs, the finished ones whose training ended in these weights."""
    return [
        run
        for run in runs
        if run.info.status == "FINISHED" and run.data.tags.get("weights_sha256") == weights_sha256
    ]


def store_errors() -> tuple[type[Exception], ...]:
    """What a store that is down, locked or broken raises."""
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, SQLAlchemyError, CommandError, OSError)


def open_store(params: Params) -> Store:
    """Connect, and create the database and the dataset's experiment where they are missing.

    Raises one of store_errors.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", RETRIES)
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    folder = repository_root().resolve() / "mlruns"
    uri = store_uri(folder.parent)
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock", timeout=LOCK_S):
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            _make_database(folder / "mlflow.db")
        client = MlflowClient(uri)
        return Store(client, _experiment(client, params, folder, uri), folder)


def _make_database(path: Path) -> None:
    """Whole or not there: MLflow cannot mend one that was interrupted while it was made."""
    from mlflow.tracking import MlflowClient

    if not path.exists():
        with whole(path) as temporary:
            MlflowClient(f"sqlite:///{temporary.resolve()}").search_experiments()


def _experiment(client: "MlflowClient", params: Params, folder: Path, uri: str) -> str:
    """A deleted one comes back: MLflow keeps its name."""
    name = f"lean-{params.dataset}"
    if found := client.get_experiment_by_name(name):
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return found.experiment_id
    served = uri.startswith(("http:", "https:", "databricks"))
    return client.create_experiment(
        name,
        artifact_location=None if served else (folder / "artifacts" / params.dataset).as_uri(),
        tags={"mlflow.experimentKind": "custom_model_development"},  # the UI shows training runs
    )


def log_params(store: Store, run_id: str, params: dict[str, str]) -> None:
    """MLflow takes a param once: those that the run has already stay as they are."""
    from mlflow.entities import Param

    known = store.client.get_run(run_id).data.params
    new = [Param(name, value) for name, value in params.items() if name not in known]
    store.client.log_batch(run_id, params=new)


def log_metrics(store: Store, run_id: str, values: dict[str, float], step: int) -> None:
    log_points(store, run_id, [(name, value, step) for name, value in values.items()])


def log_points(store: Store, run_id: str, points: list[tuple[str, float, int]]) -> None:
    """points: name, value and step of each."""
    from mlflow.entities import Metric

    now_ms = int(time.time() * 1000)
    metrics = [Metric(name, float(value), now_ms, int(step)) for name, value, step in points]
    for start in range(0, len(metrics), BATCH):
        store.client.log_batch(run_id, metrics=metrics[start : start + BATCH])


def this_process() -> str:
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time()}"


def may_go_on(run: "Run") -> bool:
    """Whether the training that made this run may still be at work, here or elsewhere."""
    process = run.data.tags.get("process", "")
    if process.partition(" ")[0] == socket.gethostname():
        return is_alive(process)
    return time.time() - run.info.start_time / 1000 < FOREIGN_S


def is_alive(process: str) -> bool:
    """Whether what this_process gave on this machine is a process that still runs."""
    _, pid, started = process.split(" ")
    try:
        return str(psutil.Process(int(pid)).create_time()) == started
    except psutil.NoSuchProcess:
        return False


@contextmanager
def short_patience() -> Iterator[None]:
    """For as long as training waits for a server: one attempt, a few seconds."""
    limits = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
    before = {name: os.environ.get(name) for name in limits}
    os.environ.update(limits)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
