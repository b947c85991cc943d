"""What the runs in MLflow must hold, read from the files that the pipeline left."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lean_audio.config.params import Params
from lean_audio.config.paths import Paths
from lean_audio.files import read_json, sha256
from lean_audio.report.inputs import PROVENANCE, REPEAT, TRAINING, read_record
from lean_audio.tracking.tags import run_params, run_tags

CURVES = ("loss", "val_loss", "val_mAP")
BEST = "best_val_mAP"  # of the epoch that was kept; the curve goes on to the last
OF_CODE = ("git_commit", "git_dirty", "mlflow.source.git.commit", "dvc_experiment")
NO_METRICS = ("seed", "replicas")  # though numbers
OF_FILE = ("dataset", "seed", "variant", "train")  # what settings_sha256 and data_sha256 stand for
TABLES = ("training.json", "history.csv", "classes.csv", "pr.csv", "reliability.csv")


@dataclass(frozen=True)
class Record:
    """All that a run holds. name: as MLflow shows it; curves: one row an epoch.

    artifacts: kind of files -> path in the run -> content; plots are drawn of them when they are
    uploaded. The device's are a kind of their own: which variant has them follows `attention`, and
    the others need not be uploaded for it.
    """

    name: str
    tags: dict[str, str]
    params: dict[str, str]
    curves: pd.DataFrame
    metrics: dict[str, float]
    artifacts: dict[str, dict[str, bytes]]


def read_records(params: Params) -> list[Record]:
    """Of every variant, and of the trainings with other seeds and of ingredients that there are.

    Raises FileNotFoundError where a variant's file is missing.
    """
    variants = [_of_variant(params, variant) for variant in params.variants]
    study = sorted((params.paths.metrics / "study").glob("*.resampled.csv"))
    return variants + [record for path in study if (record := _of_study(params, path))]


def _of_variant(params: Params, variant: str) -> Record:
    paths = params.paths
    device = params.quantized == variant
    summary = read_json(paths.metrics / f"{variant}.json")
    curves = pd.read_csv(paths.metrics / f"{variant}.history.csv")
    training = read_record(paths.metrics / f"{variant}.training.json", TRAINING)
    return Record(
        name=variant,
        tags={
            **run_tags(params, variant),
            "weights_sha256": sha256(paths.weights(variant)),
            "backend": training["backend"],
            **(_device_settings(params) if device else {}),
        },
        params=run_params(params, variant),
        curves=curves,
        metrics={
            **dict(_numbers(summary)),
            BEST: float(curves["val_mAP"].max()),
            **(_device_metrics(paths) if device else {}),
        },
        artifacts={
            "results": {
                "weights/head.weights.h5": paths.weights(variant).read_bytes(),
                **_tables(paths.metrics, variant),
            },
            **({"device": _device_files(paths)} if device else {}),
        },
    )


def _of_study(params: Params, table: Path) -> Record | None:
    """None for one on other data or with other settings than are here now, or done by `train`.

    A training known by its file alone: of settings and code it says what the file vouches for.
    """
    path = table.with_name(table.name.replace(".resampled.csv", ".json"))
    facts = read_record(path, REPEAT)
    provenance = read_record(params.paths.metrics / "provenance.json", PROVENANCE)
    model, seed = facts["model"], facts["seed"]
    known = model in params.variants or model in params.ingredients
    if not known or (model in params.variants and seed == params.seed):
        return None
    now = params.model(model).about(params.recipe(model)) | {
        "data_sha256": provenance["data_sha256"]
    }
    if any(facts[key] != now[key] for key in ("settings_sha256", "data_sha256")):
        return None
    params = params.model_copy(update={"seed": seed})
    tags, settings = run_tags(params, model), run_params(params, model)
    inputs = json.dumps([facts[key] for key in ("model", "seed", "settings_sha256", "data_sha256")])
    numbers = {BEST if name == "val_mAP" else name: value for name, value in _numbers(dict(facts))}
    return Record(
        name=f"{model}, seed {seed}",
        tags={tag: value for tag, value in tags.items() if tag not in OF_CODE}
        | {
            "inputs": hashlib.sha256(inputs.encode()).hexdigest(),
            "weights_sha256": "none kept",
            "backend": facts.get("backend", "not stated"),
        },
        params={key: value for key, value in settings.items() if key.split(".")[0] in OF_FILE},
        curves=pd.DataFrame(columns=["epoch", *CURVES]),
        metrics={name: value for name, value in numbers.items() if name not in NO_METRICS},
        artifacts={
            "results": {
                "tables/resampled.csv": table.read_bytes(),
                "tables/study.json": path.read_bytes(),
            }
        },
    )


def _device_settings(params: Params) -> dict[str, str]:
    """In tags, for they may change after the training, and params may not."""
    sections = {"quantize": params.quantize, "device": params.device}
    return {name: json.dumps(section.model_dump()) for name, section in sections.items()}


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


def _numbers(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in a JSON file, nested names joined by slashes."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + key, float(value)
