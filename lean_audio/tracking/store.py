"""Where MLflow stores the runs, and how a training's run is found again.

The store is a SQLite file in `mlruns/` at the repository's root, whatever the working directory or
DVC's temporary workspace, unless MLFLOW_TRACKING_URI names another one, such as a shared server.
There is one experiment per dataset and one run per training. Two tags identify a run: `inputs`
hashes what went into the training, `weights_sha256` what came out.
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
from lean_audio.files import atomic_file

if TYPE_CHECKING:  # takes a second to import, so only where runs are written
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

LOCK_S = 120  # to wait for another process that opens the store
BUSY_S = 60  # that SQLite waits for another process that writes
RETRIES = "3"  # of an HTTP request: a dead server is noticed in seconds, not minutes
BATCH = 1000  # metrics that MLflow accepts per request
STALE_AFTER_S = 24 * 3600  # a training on another machine is presumed dead after this time


def repository_root() -> Path:
    """Return the repository's root; in DVC's temporary workspace, that of the original one."""
    if stated := os.environ.get("DVC_ROOT"):
        return Path(stated)
    try:
        from git import InvalidGitRepositoryError, Repo
    except ImportError:  # git is not installed
        return Path.cwd()
    try:
        return Path(Repo(search_parent_directories=True).working_dir)
    except InvalidGitRepositoryError:
        return Path.cwd()


def store_uri(root: Path) -> str:
    """Return MLFLOW_TRACKING_URI or, if it is not set, the URI of the SQLite file."""
    local = f"sqlite:///{root.resolve() / 'mlruns' / 'mlflow.db'}?timeout={BUSY_S}"
    return os.environ.get("MLFLOW_TRACKING_URI") or local


@dataclass(frozen=True)
class Store:
    """One dataset's experiment in MLflow; its methods raise one of `store_errors`."""

    client: "MlflowClient"
    experiment: str
    folder: Path

    def lock(self) -> FileLock:
        """Return the lock to hold while runs are found or created, so none is created twice."""
        return FileLock(self.folder / "lock", timeout=LOCK_S)

    def runs(self, inputs: str) -> list["Run"]:
        """Return the runs of a training with these inputs, the oldest first."""
        return list(
            self.client.search_runs(
                [self.experiment], f"tags.inputs = '{inputs}'", order_by=["attributes.start_time"]
            )
        )

    def clear_unfinished(self, inputs: str) -> None:
        """Delete what crashed or cancelled trainings with these inputs left; end other dead runs.

        Keeps the run of a training that may still be in progress.
        """
        running = self.client.search_runs([self.experiment], "attributes.status = 'RUNNING'")
        for run in running:
            if not possibly_running(run):
                self.client.set_terminated(run.info.run_id, "KILLED")
        for run in self.runs(inputs):
            if run.info.status in ("FAILED", "KILLED"):
                self.client.delete_run(run.info.run_id)


def finished(runs: list["Run"], weights_sha256: str) -> list["Run"]:
    """Return the finished runs whose training ended in these weights."""
    return [
        run
        for run in runs
        if run.info.status == "FINISHED" and run.data.tags.get("weights_sha256") == weights_sha256
    ]


def store_errors() -> tuple[type[Exception], ...]:
    """Return what a store that is down, locked or broken raises."""
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, SQLAlchemyError, CommandError, OSError)


def open_store(params: Params) -> Store:
    """Connect; create the database and the dataset's experiment if they are missing.

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
    """Create the database atomically: MLflow cannot repair one whose creation was interrupted."""
    from mlflow.tracking import MlflowClient

    if not path.exists():
        with atomic_file(path) as temporary:
            MlflowClient(f"sqlite:///{temporary.resolve()}").search_experiments()


def _experiment(client: "MlflowClient", params: Params, folder: Path, uri: str) -> str:
    """Find, restore or create the experiment; MLflow reserves the name of a deleted one."""
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
    """Log the params that the run lacks; MLflow accepts each only once."""
    from mlflow.entities import Param

    known = store.client.get_run(run_id).data.params
    new = [Param(name, value) for name, value in params.items() if name not in known]
    store.client.log_batch(run_id, params=new)


def log_metrics(store: Store, run_id: str, values: dict[str, float], step: int) -> None:
    """Log the metrics of one step."""
    log_points(store, run_id, [(name, value, step) for name, value in values.items()])


def log_points(store: Store, run_id: str, points: list[tuple[str, float, int]]) -> None:
    """Log points of curves: (name, value, step) of each."""
    from mlflow.entities import Metric

    now_ms = int(time.time() * 1000)
    metrics = [Metric(name, float(value), now_ms, int(step)) for name, value, step in points]
    for start in range(0, len(metrics), BATCH):
        store.client.log_batch(run_id, metrics=metrics[start : start + BATCH])


def this_process() -> str:
    """Return what identifies this process: host, number and start time."""
    return f"{socket.gethostname()} {os.getpid()} {psutil.Process().create_time()}"


def possibly_running(run: "Run") -> bool:
    """Return whether the training of this run may still be in progress, here or elsewhere."""
    process = run.data.tags.get("process", "")
    if process.partition(" ")[0] == socket.gethostname():
        return is_alive(process)
    return time.time() - run.info.start_time / 1000 < STALE_AFTER_S


def is_alive(process: str) -> bool:
    """Return whether a process of this machine still runs; `process` is from `this_process`."""
    _, pid, started = process.split(" ")
    try:
        return str(psutil.Process(int(pid)).create_time()) == started
    except psutil.NoSuchProcess:
        return False


@contextmanager
def fail_fast() -> Iterator[None]:
    """Allow one attempt of 10 s per request, for use while a training waits."""
    limits = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
    before = {name: os.environ.get(name) for name in limits}
    os.environ.update(limits)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
