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
from lean_audio.errors import LeanError
from lean_audio.report_inputs import HISTORY, METRICS, TRAINING, number, read_record, read_table

Record = Mapping[str, Any]
LEAN = "joint-bahdanau"  # what all others are compared with
INTERVAL = (2.5, 97.5)  # percentiles
ENOUGH_SEEDS = 3  # of both models, for a difference to be called real or not
NOTES_FILE = "notes.md"  # in study/: what its readers must know that the files cannot say


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
        _check_runs(metrics_dir, model)
        path = metrics_dir / "study" / f"{name}.cost.json"
        model.cost = json.loads(path.read_text("utf-8")) if path.is_file() else None
    return {name: models[name] for name in _in_order(models)}


def _check_runs(folder: Path, model: Model) -> None:
    seeds = [run.seed for run in model.runs]
    if twice := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
        raise LeanError(
            f"{folder}: {model.name} is there twice with seed {twice[0]}; `seed` and each of "
            "ablation.seeds are different seeds: move the older files out of study/"
        )


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
        return np.array([float(row["mAP"] or "nan") for row in csv.DictReader(file)])


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
    mean, half = float(np.mean(values)), _half_width(values)
    low, high = (mean - half, mean + half) if len(values) > 1 else (None, None)
    return {"mean": mean, "low": low, "high": high, "seeds": len(values)}


def _half_width(values: Sequence[float]) -> float:
    """Of the 95 % interval of a mean; 0 of a single value, of which nothing is known."""
    count = len(values)
    if count < 2:
        return 0.0
    return float(stats.t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count))


def difference(ours: Model, theirs: Model) -> Record:
    """Mean mAP over seeds of one less that of the other, with a 95 % interval.

    Its half-widths: those of a paired bootstrap over clips, the same draws for both, centred on the
    gap (a clip drawn twice makes rare classes look easier, for all models); and those of each
    model's mean over seeds (Student's t), as the root of the sum of their squares.
    real: whether it leaves out 0; None where a model has fewer than ENOUGH_SEEDS seeds.
    """
    gap = float(np.mean([r.mean_ap for r in ours.runs]) - np.mean([r.mean_ap for r in theirs.runs]))
    over_seeds = [_half_width([run.mean_ap for run in model.runs]) for model in (ours, theirs)]
    draws = _drawn(ours) - _drawn(theirs)
    below, above = np.nanpercentile(draws - np.nanmean(draws), INTERVAL)
    low = gap - float(np.linalg.norm([below, *over_seeds]))
    high = gap + float(np.linalg.norm([above, *over_seeds]))
    enough = min(len(ours.runs), len(theirs.runs)) >= ENOUGH_SEEDS
    return {"gap": gap, "low": low, "high": high, "real": low > 0 or high < 0 if enough else None}


def _drawn(model: Model) -> np.ndarray:
    """(resamples,) mAP of each draw of the clips, mean over seeds."""
    return np.mean([run.resampled for run in model.runs], axis=0)


def _cost(model: Model) -> Record:
    """Of one chunk on one core; None where it was not measured. against: times the backbone's."""
    if model.cost is None:
        return {"bytes": None, "ms": None, "against": None}
    first = next(iter(model.cost["latency"]))
    ms, backbone_ms = (
        model.cost[name][first]["median_ms"] for name in ("latency", "backbone_latency")
    )
    return {"bytes": model.cost["bytes"], "ms": ms, "against": ms / backbone_ms}


def beyond(metrics_dir: Path) -> Record | None:
    """The two tables; None where there is nothing beside one training of the paper's variants.

    models: one row a model, against LEAN; steps: one row for each that comes after another.
    """
    models = read_models(metrics_dir)
    seeds = max((len(model.runs) for model in models.values()), default=0)
    if set(models) <= {row.variant for row in paper.ABLATION} and seeds < 2:
        return None
    draws = {len(run.resampled) for model in models.values() for run in model.runs}
    if len(draws) > 1:
        raise LeanError(
            f"{metrics_dir}: the models were not all resampled alike, but {sorted(draws)} times; "
            "ablation.resamples must be the same for all: run the others again"
        )
    notes = metrics_dir / "study" / NOTES_FILE
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
        "seeds": seeds,
        "notes": notes.read_text("utf-8").split("\n\n") if notes.is_file() else [],
        "LEAN": LEAN,
    }


def means(metrics_dir: Path) -> dict[str, Record]:
    """Of each model, its mAP over seeds."""
    models = read_models(metrics_dir).values()
    return {model.name: mean_with_interval([run.mean_ap for run in model.runs]) for model in models}


def _step(model: Model, before: Model) -> Record:
    return {
        "name": model.name,
        "after": model.after,
        "change": model.change,
        "seeds": f"{len(model.runs)} / {len(before.runs)}",
        **difference(model, before),
        "parameters": model.parameters - before.parameters,
        **_added_cost(_cost(model), _cost(before)),
    }


def _added_cost(ours: Record, theirs: Record) -> Record:
    """Bytes and ms; None where it was not measured, no ms where the network is the same.

    The ms are of the time in which `theirs` was measured: both are taken as multiples of the
    backbone's time beside them, as a machine's speed changes from process to process.
    """
    if None in (*ours.values(), *theirs.values()):
        return {"bytes": None, "ms": None}
    added = ours["bytes"] - theirs["bytes"]
    ms = (ours["against"] - theirs["against"]) * theirs["ms"] / theirs["against"]
    return {"bytes": added, "ms": ms if added else None}
