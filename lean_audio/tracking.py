"""Complete the runs in MLflow from the files that the pipeline left, or make them whole anew.

Nothing here depends on what was logged while training: a run that was watched gets what it
lacks, one that was restored from DVC's cache or lost with its database is made from its files.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from lean_audio import charts
from lean_audio.errors import LeanError
from lean_audio.files import read_json, sha256
from lean_audio.params import Params
from lean_audio.paths import Paths
from lean_audio.run_facts import run_params, run_tags
from lean_audio.store import Store, finished, log_metrics, log_params, open_store

CURVES = ("loss", "val_loss", "val_mAP")
TABLES = ("training.json", "history.csv", "classes.csv", "pr.csv", "reliability.csv")
PLOTS = {
    "learning.svg": (charts.learning_curves, "history.csv"),
    "precision_recall.svg": (charts.precision_recall, "pr.csv"),
    "reliability.svg": (charts.reliability, "reliability.csv"),
}


@dataclass(frozen=True)
class Record:
    """All that a run holds. curves: one row an epoch; artifacts: path in the run -> content."""

    tags: dict[str, str]
    params: dict[str, str]
    curves: pd.DataFrame
    metrics: dict[str, float]
    artifacts: dict[str, bytes]


def track(params: Params) -> dict[str, dict[str, str]]:
    """Bring every variant's run up to date; returns what identifies each run.

    Raises LeanError when a result is missing, or when MLflow cannot be reached.
    """
    from mlflow.exceptions import MlflowException

    try:
        records = {variant: read_record(params, variant) for variant in params.variants}
    except FileNotFoundError as error:
        raise LeanError(f"{error.filename} is missing: `dvc repro` makes it") from None
    try:
        store = open_store(params)
        for record in records.values():
            complete(store, find_or_make(store, record), record)
    except (MlflowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise LeanError(
            f"MLflow cannot be reached ({reason}): every result is in place, `dvc repro` tracks "
            "them when it can; MLFLOW_TRACKING_URI says where it is"
        ) from None
    return {
        variant: {key: record.tags[key] for key in ("inputs", "weights_sha256")}
        for variant, record in records.items()
    }


def read_record(params: Params, variant: str) -> Record:
    """What a variant's run must hold, read from the files in the workspace."""
    paths = params.paths
    device = params.quantized == variant
    summary = read_json(paths.metrics / f"{variant}.json")
    return Record(
        tags=run_tags(params, variant) | {"weights_sha256": sha256(paths.weights(variant))},
        params=run_params(params, variant),
        curves=pd.read_csv(paths.metrics / f"{variant}.history.csv"),
        metrics=dict(_numbers(summary)) | (_device_metrics(paths) if device else {}),
        artifacts={
            "weights/head.weights.h5": paths.weights(variant).read_bytes(),
            **_tables(paths.metrics, variant),
            **_plots(paths.metrics, variant),
            **(_device_files(paths) if device else {}),
        },
    )


def _device_metrics(paths: Paths) -> dict[str, float]:
    shipped = read_json(paths.metrics / "shipped.json")
    schemes = read_json(paths.metrics / "device.json")["schemes"]
    return dict(_numbers({"shipped": shipped, "device": schemes}))


def _device_files(paths: Paths) -> dict[str, bytes]:
    files = (paths.shipped, paths.metrics / "device.json")
    return {f"device/{path.name}": path.read_bytes() for path in files}


def _tables(metrics: Path, variant: str) -> dict[str, bytes]:
    """Named alike in all runs, so that MLflow can set them side by side."""
    return {f"tables/{table}": (metrics / f"{variant}.{table}").read_bytes() for table in TABLES}


def _plots(metrics: Path, variant: str) -> dict[str, bytes]:
    return {
        f"plots/{name}": chart(
            {variant: pd.read_csv(metrics / f"{variant}.{table}").to_dict("records")}
        ).encode()
        for name, (chart, table) in PLOTS.items()
    }


def _numbers(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in a JSON file, nested names joined by slashes."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + key, float(value)


def find_or_make(store: Store, record: Record) -> str:
    """The id of the one run of this training; further ones, and unfinished ones, are deleted."""
    inputs, weights_sha256 = record.tags["inputs"], record.tags["weights_sha256"]
    with store.lock():
        store.clear_unfinished(inputs)
        found = [run.info.run_id for run in finished(store.runs(inputs), weights_sha256)]
        for twin in found[1:]:
            store.client.delete_run(twin)
        if found:
            return found[0]
        name = record.tags["variant"]
        run = store.client.create_run(store.experiment, run_name=name, tags=record.tags)
        store.client.set_terminated(run.info.run_id)
        return run.info.run_id


def complete(store: Store, run_id: str, record: Record) -> None:
    """Log what the run lacks; what it has is not logged twice."""
    log_params(store, run_id, record.params)
    for name in CURVES:
        logged = {metric.step for metric in store.client.get_metric_history(run_id, name)}
        for epoch, value in zip(record.curves["epoch"], record.curves[name], strict=True):
            if epoch not in logged:
                log_metrics(store, run_id, {name: value}, int(epoch))
    data = store.client.get_run(run_id).data
    changed = {n: v for n, v in record.metrics.items() if data.metrics.get(n) != v}
    log_metrics(store, run_id, changed, 0)
    for name in record.tags.keys() - data.tags.keys():
        store.client.set_tag(run_id, name, record.tags[name])
    fingerprint = _fingerprint(record.artifacts)
    if data.tags.get("artifacts_sha256") != fingerprint:
        _upload(store, run_id, record.artifacts)
        store.client.set_tag(run_id, "artifacts_sha256", fingerprint)


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
