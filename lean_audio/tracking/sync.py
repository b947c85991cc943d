"""Complete the runs in MLflow from the files of the pipeline, or create them from these.

Nothing here depends on what was logged while training: a run that was logged live gets what it
lacks; one that was restored from DVC's cache, or lost with its database, is created from its files.
"""

import csv
import hashlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from lean_audio.config.params import Params
from lean_audio.errors import LeanError
from lean_audio.report import charts
from lean_audio.report.inputs import numeric
from lean_audio.tracking.records import CURVES, RunRecord, read_records
from lean_audio.tracking.store import (
    Store,
    finished,
    log_metrics,
    log_params,
    log_points,
    open_store,
    store_errors,
    this_process,
)

LATEST = ("quantize", "device", "backend")  # tags that follow the files; others stay
PLOTS = {
    "learning.svg": (charts.learning_curves, "history.csv"),
    "precision_recall.svg": (charts.precision_recall, "pr.csv"),
    "reliability.svg": (charts.reliability, "reliability.csv"),
}


class UntrackedError(LeanError):
    """MLflow failed."""


def track(params: Params) -> dict[str, dict[str, str]]:
    """Bring every training's run up to date and return what identifies each run.

    Raises LeanError if a result is missing, UntrackedError if MLflow fails.
    """
    try:
        records = read_records(params)
    except FileNotFoundError as error:
        raise LeanError(f"{error.filename}: missing, `dvc repro` makes it") from None
    try:
        store = open_store(params)
        for record in records:
            with store.lock():
                complete(store, find_or_make(store, record), record)
    except store_errors() as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UntrackedError(
            f"MLflow failed ({reason}): every result is in place and `dvc repro` tracks it when "
            "MLflow is back; MLFLOW_TRACKING_URI says where it is"
        ) from None
    return {
        record.name: {key: record.tags[key] for key in ("inputs", "weights_sha256")}
        for record in records
    }


def track_or_postpone(params: Params) -> dict[str, Any]:
    """Do what `track` does, but never fail an experiment because a server is down.

    DVC discards a failed experiment; here MLflow's failure is a warning, and the next `dvc repro`
    on its results tracks it.
    """
    try:
        return track(params)
    except UntrackedError as error:
        if "DVC_EXP_NAME" not in os.environ:
            raise
        print(f"warning: {error}", file=sys.stderr)
        return {"pending": True}


def _plots(record: RunRecord) -> dict[str, bytes]:
    """Draw the charts of the tables among the artifacts; small, so they are always uploaded."""
    files, model = record.artifacts["results"], record.tags["variant"]
    return {
        f"plots/{name}": chart(_rows(model, content)).encode()
        for name, (chart, table) in PLOTS.items()
        if (content := files.get(f"tables/{table}"))
    }


def _rows(model: str, content: bytes) -> dict[str, list[dict[str, Any]]]:
    """Read a table as the report does: a label is text, even `None` or `1.0`."""
    return numeric({model: list(csv.DictReader(io.StringIO(content.decode())))})


def find_or_make(store: Store, record: RunRecord) -> str:
    """Return the id of this training's run; delete duplicates and what crashes left."""
    inputs, weights_sha256 = record.tags["inputs"], record.tags["weights_sha256"]
    store.clear_unfinished(inputs)
    found = [run.info.run_id for run in finished(store.runs(inputs), weights_sha256)]
    for twin in found[1:]:
        store.client.delete_run(twin)
    if found:
        return found[0]
    tags = record.tags | {"process": this_process()}
    run = store.client.create_run(store.experiment, run_name=record.name, tags=tags)
    return run.info.run_id


def complete(store: Store, run_id: str, record: RunRecord) -> None:
    """Log what the run lacks, nothing twice, and finish it."""
    run = store.client.get_run(run_id)
    log_params(store, run_id, record.params)
    log_points(store, run_id, [*_missing_epochs(store, run_id, record.curves)])
    changed = {n: v for n, v in record.metrics.items() if run.data.metrics.get(n) != v}
    log_metrics(store, run_id, changed, 0)
    for kind, artifacts in record.artifacts.items():
        tag, fingerprint = f"{kind}_sha256", _fingerprint(artifacts)
        if run.data.tags.get(tag) != fingerprint:
            _upload(store, run_id, artifacts)
            store.client.set_tag(run_id, tag, fingerprint)
    _upload(store, run_id, _plots(record))
    for name, value in record.tags.items():
        if name not in run.data.tags or (name in LATEST and run.data.tags[name] != value):
            store.client.set_tag(run_id, name, value)
    if run.info.status != "FINISHED":
        store.client.set_terminated(run_id)


def _missing_epochs(
    store: Store, run_id: str, curves: pd.DataFrame
) -> Iterator[tuple[str, float, int]]:
    for name in CURVES:
        logged = {metric.step for metric in store.client.get_metric_history(run_id, name)}
        for epoch, value in zip(curves["epoch"], curves[name], strict=True):
            if epoch not in logged:
                yield name, value, epoch


def _fingerprint(artifacts: dict[str, bytes]) -> str:
    lines = (f"{hashlib.sha256(artifacts[name]).hexdigest()}  {name}" for name in sorted(artifacts))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _upload(store: Store, run_id: str, artifacts: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        for name, content in artifacts.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        store.client.log_artifacts(run_id, folder)
