"""Reads every training there is of every model, with all seeds, and what each model costs."""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lean_audio.report.inputs import (
    HISTORY,
    METRICS,
    PROVENANCE,
    REPEAT,
    TRAINING,
    VARIANTS,
    Record,
    Settings,
    belongs,
    number,
    read_record,
    read_table,
)

NOT_STATED = "a backend not stated"


@dataclass(frozen=True)
class Run:
    """One training, evaluated once.

    backend: Keras's; resampled: (resamples,) mAP on the same draws of clips.
    """

    seed: int
    backend: str
    mean_ap: float
    val_map: float
    resampled: np.ndarray


@dataclass
class Model:
    """A variant or an ingredient. after, change: the model it differs from, and how."""

    name: str
    parameters: int = 0
    after: str = ""
    change: str = ""
    cost: Record | None = None
    runs: list[Run] = field(default_factory=list)


@dataclass(frozen=True)
class Study:
    """left_out: trainings on other data, by other settings, or of models not in params.yaml."""

    models: Mapping[str, Model]
    left_out: Sequence[str]


def read_study(metrics_dir: Path, settings: Settings) -> Study:
    """Models by name: the paper's five first, then the others, each after the one it comes from.

    settings: SHA-256 of each model's in this params file.
    """
    provenance = read_record(metrics_dir / "provenance.json", PROVENANCE)
    models: dict[str, Model] = {}
    left_out = []
    for name, run, facts in (*_main_runs(metrics_dir), *_study_runs(metrics_dir / "study")):
        if not belongs(facts, name, settings, provenance):
            left_out.append(f"{name} (seed {run.seed})")
            continue
        model = models.setdefault(name, Model(name))
        model.parameters = facts["parameters"]
        model.after, model.change = facts.get("after", ""), facts.get("change", "")
        if run.seed not in [other.seed for other in model.runs]:
            model.runs.append(run)
    for name, model in models.items():
        cost = metrics_dir / "study" / f"{name}.cost.json"
        model.cost = _read_cost(cost, provenance["data_sha256"])
    return Study({name: models[name] for name in _in_order(models)}, left_out)


def _read_cost(path: Path, data: str) -> Record | None:
    """None where it was not measured, or with other classes or another backbone."""
    cost = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return cost if cost.get("data_sha256") == data else None


def _main_runs(folder: Path) -> Iterator[tuple[str, Run, Record]]:
    for path in sorted(folder.glob("*.resampled.csv")):
        name = path.name.removesuffix(".resampled.csv")
        metrics = read_record(folder / f"{name}.json", METRICS)
        training = read_record(folder / f"{name}.training.json", TRAINING)
        history = read_table(folder / f"{name}.history.csv", HISTORY)
        best = max(number(row["val_mAP"]) or 0.0 for row in history)
        if metrics["mAP"] is not None:
            facts = {**training, **metrics}
            yield name, _run(facts, best, path), facts


def _study_runs(folder: Path) -> Iterator[tuple[str, Run, Record]]:
    for table in sorted(folder.glob("*.resampled.csv")):
        path = table.with_name(table.name.replace(".resampled.csv", ".json"))
        facts = read_record(path, REPEAT)
        if facts["mAP"] is not None:
            yield facts["model"], _run(facts, facts["val_mAP"], table), facts


def _run(facts: Record, val_map: float, table: Path) -> Run:
    return Run(
        facts["seed"], facts.get("backend", NOT_STATED), facts["mAP"], val_map, _resampled(table)
    )


def _resampled(path: Path) -> np.ndarray:
    with path.open(encoding="utf-8") as file:
        return np.array([float(row["mAP"] or "nan") for row in csv.DictReader(file)])


def _in_order(models: Mapping[str, Model]) -> list[str]:
    ours = [name for name in VARIANTS if name in models]
    roots = ours + [name for name, model in models.items() if model.after not in models]
    following = defaultdict(list)
    for name, model in models.items():
        following[model.after].append(name)

    def with_following(name: str) -> list[str]:
        return [name, *(n for other in following[name] for n in with_following(other))]

    first = list(dict.fromkeys(roots))
    return first + [n for name in first for n in with_following(name) if n not in first]
