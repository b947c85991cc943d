"""What the runs in MLflow must hold, read from the files of the pipeline."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lean_audio.config.params import Params
from lean_audio.config.paths import Paths
from lean_audio.files import read_json, sha256
from lean_audio.report.models import report_models
from lean_audio.report.trainings import Training, read_trainings
from lean_audio.tracking.tags import run_name, run_params, run_tags

CURVES = ("loss", "val_loss", "val_mAP")
BEST = "best_val_mAP"  # of the epoch that was kept; the curve goes on to the last one
OF_CODE = ("git_commit", "git_dirty", "mlflow.source.git.commit", "dvc_experiment")
OF_FILE = (
    "dataset",
    "seed",
    "variant",
    "train",
)  # params that a record without weights vouches for
TABLES = ("classes.csv", "pr.csv", "reliability.csv")


@dataclass(frozen=True)
class RunRecord:
    """Everything that a run holds.

    name: as MLflow shows it; curves: one row per epoch; artifacts: kind -> path in the run ->
    content. The device files are a kind of their own: which model has them follows `attention`, and
    the others need not be uploaded again for it.
    """

    name: str
    tags: dict[str, str]
    params: dict[str, str]
    curves: pd.DataFrame
    metrics: dict[str, float]
    artifacts: dict[str, dict[str, bytes]]


def read_records(params: Params) -> list[RunRecord]:
    """Read the record of every training of this params file's models, on its data.

    Raises FileNotFoundError if the training of a variant and seed of params.yaml is missing.
    """
    trainings = read_trainings(
        params.paths.metrics, report_models(params), params.evaluate.resamples
    )
    for model in params.variants:
        for seed in params.seeds:
            if trainings.find(model, seed) is None:
                record = params.paths.training(model, seed).record
                raise FileNotFoundError(2, "not trained and evaluated on this data", str(record))
    runs = [run for model in trainings.models.values() for run in model.runs]
    return [_read_record(params, run) for run in runs]


def _read_record(params: Params, run: Training) -> RunRecord:
    """Read one record; without weights it says no more than its files vouch for."""
    model, seed = run.model, run.seed
    weights = params.paths.training(model, seed).weights
    device = (model, seed) == (params.shown, params.seed)
    tags, settings = run_tags(params, model, seed), run_params(params, model, seed)
    if not weights.is_file():
        tags = {name: value for name, value in tags.items() if name not in OF_CODE}
        settings = {key: value for key, value in settings.items() if key.split(".")[0] in OF_FILE}
    return RunRecord(
        name=run_name(model, seed),
        tags={
            **tags,
            "weights_sha256": sha256(weights) if weights.is_file() else "none kept",
            "backend": run.backend,
            **(_device_settings(params) if device else {}),
        },
        params=settings,
        curves=_curves(run.record / "history.csv"),
        metrics={
            **dict(_numbers(read_json(run.record / "metrics.json"))),
            **{key: float(run.facts[key]) for key in ("best_epoch", "parameters")},
            BEST: run.val_map,
            **(_device_metrics(params.paths) if device else {}),
        },
        artifacts={
            "results": _results(run.record, weights),
            **({"device": _device_files(params.paths)} if device else {}),
        },
    )


def _curves(path: Path) -> pd.DataFrame:
    return pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=["epoch", *CURVES])


def _device_settings(params: Params) -> dict[str, str]:
    """Return settings as tags, because they may change after the training and params may not."""
    sections = {"quantize": params.quantize, "device": params.device}
    return {name: json.dumps(section.model_dump()) for name, section in sections.items()}


def _device_metrics(paths: Paths) -> dict[str, float]:
    shipped = read_json(paths.metrics / "shipped.json")
    schemes = read_json(paths.metrics / "device.json")["schemes"]
    return dict(_numbers({"shipped": shipped, "device": schemes}))


def _device_files(paths: Paths) -> dict[str, bytes]:
    files = (paths.shipped, paths.metrics / "device.json")
    return {f"device/{path.name}": path.read_bytes() for path in files}


def _results(record: Path, weights: Path) -> dict[str, bytes]:
    """Collect the files of a training, named alike in all runs so that MLflow can compare them."""
    files = [record / "training.json", record / "history.csv"]
    files += [record / "tables" / name for name in TABLES]
    named = {f"tables/{path.name}": path for path in files} | {f"weights/{weights.name}": weights}
    return {name: path.read_bytes() for name, path in named.items() if path.is_file()}


def _numbers(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers in a JSON file, nested names joined by slashes."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + key, float(value)
