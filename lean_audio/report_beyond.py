"""Beyond the paper: every model with every seed, which differences are real, what each costs."""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from lean_audio import paper
from lean_audio.report_inputs import HISTORY, METRICS, TRAINING, number, read_record, read_table

Record = Mapping[str, Any]
LEAN = "joint-bahdanau"  # what all others are compared with
INTERVAL = (2.5, 97.5)  # percentiles
SEED_DRAWS = 1  # of the seeds that are drawn with the clips


@dataclass(frozen=True)
class Run:
    """One training, evaluated once. resampled: (resamples,) mAP on the same draws of clips."""

    seed: int
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


def read_models(metrics_dir: Path) -> dict[str, Model]:
    """By name: the paper's five first, then the others, each after the model it comes from."""
    models: dict[str, Model] = {}
    for name, run, facts in (*_main_runs(metrics_dir), *_study_runs(metrics_dir / "study")):
        model = models.setdefault(name, Model(name))
        model.parameters = facts["parameters"]
        model.after, model.change = facts.get("after", ""), facts.get("change", "")
        model.runs.append(run)
    for name, model in models.items():
        path = metrics_dir / "study" / f"{name}.cost.json"
        model.cost = json.loads(path.read_text("utf-8")) if path.is_file() else None
    return {name: models[name] for name in _in_order(models)}


def _main_runs(folder: Path) -> Iterator[tuple[str, Run, Record]]:
    for path in sorted(folder.glob("*.resampled.csv")):
        name = path.name.removesuffix(".resampled.csv")
        metrics = read_record(folder / f"{name}.json", METRICS)
        training = read_record(folder / f"{name}.training.json", TRAINING)
        history = read_table(folder / f"{name}.history.csv", HISTORY)
        best = max(number(row["val_mAP"]) or 0.0 for row in history)
        if metrics["mAP"] is not None:
            run = Run(training["seed"], metrics["mAP"], best, _resampled(path))
            about = {key: training.get(key, "") for key in ("after", "change")}
            yield name, run, {**metrics, **about}


def _study_runs(folder: Path) -> Iterator[tuple[str, Run, Record]]:
    for path in sorted(folder.glob("*.resampled.csv")):
        facts = json.loads(path.with_name(path.name.replace(".resampled.csv", ".json")).read_text())
        if facts["mAP"] is not None:
            run = Run(facts["seed"], facts["mAP"], facts["val_mAP"], _resampled(path))
            yield facts["model"], run, facts


def _resampled(path: Path) -> np.ndarray:
    with path.open(encoding="utf-8") as file:
        return np.array([float(row["mAP"]) for row in csv.DictReader(file)])


def _in_order(models: Mapping[str, Model]) -> list[str]:
    ours = [row.variant for row in paper.ABLATION if row.variant in models]
    roots = ours + [name for name, model in models.items() if model.after not in models]
    following = defaultdict(list)
    for name, model in models.items():
        following[model.after].append(name)

    def with_following(name: str) -> list[str]:
        return [name, *(n for other in following[name] for n in with_following(other))]

    first = list(dict.fromkeys(roots))
    return first + [n for name in first for n in with_following(name) if n not in first]


def mean_with_interval(values: Sequence[float]) -> Record:
    """Of a mean over seeds, by Student's t; without an interval when there is one seed."""
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return {"mean": mean, "low": None, "high": None, "seeds": count}
    half = stats.t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count)
    return {"mean": mean, "low": mean - half, "high": mean + half, "seeds": count}


def difference(ours: Model, theirs: Model) -> Record:
    """Mean mAP of one less that of the other, with a paired bootstrap's 95 % interval.

    Clips are drawn with replacement, the same for both; so are, of each model, its seeds.
    """
    gap = np.mean([r.mean_ap for r in ours.runs]) - np.mean([r.mean_ap for r in theirs.runs])
    rng = np.random.default_rng(SEED_DRAWS)
    low, high = np.percentile(_drawn(ours, rng) - _drawn(theirs, rng), INTERVAL)
    return {"gap": float(gap), "low": float(low), "high": float(high), "real": low > 0 or high < 0}


def _drawn(model: Model, rng: np.random.Generator) -> np.ndarray:
    """(resamples,) mean mAP over as many seeds as there are, drawn anew for each resample."""
    runs = np.stack([run.resampled for run in model.runs])  # (seeds, resamples)
    seeds, resamples = runs.shape
    return runs[rng.integers(seeds, size=runs.shape), np.arange(resamples)].mean(axis=0)


def _cost(model: Model) -> Record:
    """Of one chunk on one core; None where it was not measured."""
    if model.cost is None:
        return {"bytes": None, "ms": None}
    first = next(iter(model.cost["latency"].values()))
    return {"bytes": model.cost["bytes"], "ms": first["median_ms"]}


def beyond(metrics_dir: Path) -> Record | None:
    """The two tables; None where there is nothing beside the paper's variants to show.

    models: one row a model, against LEAN; steps: one row for each that comes after another.
    """
    models = read_models(metrics_dir)
    if set(models) <= {row.variant for row in paper.ABLATION}:
        return None
    rows = [
        {
            "name": model.name,
            "mAP": mean_with_interval([run.mean_ap for run in model.runs]),
            "val_mAP": mean_with_interval([run.val_map for run in model.runs]),
            "parameters": model.parameters,
            "less": difference(model, models[LEAN]) if model.name != LEAN else None,
            "cost": _cost(model),
        }
        for model in models.values()
    ]
    return {
        "models": rows,
        "steps": [_step(m, models[m.after]) for m in models.values() if m.after in models],
        "evaluations": sum(len(model.runs) for model in models.values()),
        "seeds": max(len(model.runs) for model in models.values()),
        "LEAN": LEAN,
    }


def row_of(name: str, tables: Record | None) -> Record | None:
    """One model's row of `beyond`; None where it was not trained."""
    rows = tables["models"] if tables else []
    return next((row for row in rows if row["name"] == name), None)


def _step(model: Model, before: Model) -> Record:
    ours, theirs = _cost(model), _cost(before)
    known = None not in (*ours.values(), *theirs.values())
    return {
        "name": model.name,
        "after": model.after,
        "change": model.change,
        "seeds": f"{len(model.runs)} / {len(before.runs)}",
        **difference(model, before),
        "parameters": model.parameters - before.parameters,
        "bytes": ours["bytes"] - theirs["bytes"] if known else None,
        "ms": ours["ms"] - theirs["ms"] if known else None,
    }
