"""Beyond the paper: every model with every seed, which differences are real, what each costs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import special

from lean_audio.errors import LeanError
from lean_audio.report.inputs import VARIANTS, Record, Settings
from lean_audio.report.study import Model, Study, read_study

LEAN = "joint-bahdanau"  # what all others are compared with
PLUS = "plus"  # ours
USUAL_BACKEND = "tensorflow"  # of Keras: the pipeline's own
ENOUGH_SEEDS = 3  # of both models, for a difference to be called real or not
NOTES_FILE = "notes.md"  # in study/: what its readers must know that the files cannot say


def mean_with_interval(values: Sequence[float]) -> Record:
    """Of a mean over seeds, by Student's t; without an interval when there is one seed."""
    count, mean = len(values), float(np.mean(values))
    if count < 2:
        return {"mean": mean, "low": None, "high": None, "seeds": count}
    half = float(special.stdtrit(count - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(count))
    return {"mean": mean, "low": mean - half, "high": mean + half, "seeds": count}


@dataclass(frozen=True)
class SeedSpread:
    """The variance of mAP from seed to seed, pooled over models, and its degrees of freedom."""

    variance: float
    freedom: int


def seed_spread(models: Iterable[Model]) -> SeedSpread:
    """0 with no degree of freedom where every model has one seed."""
    runs = [[run.mean_ap for run in model.runs] for model in models]
    freedom = sum(len(values) - 1 for values in runs)
    squares = sum(float(np.var(values)) * len(values) for values in runs)
    return SeedSpread(squares / freedom if freedom else 0.0, freedom)


def difference(ours: Model, theirs: Model, spread: SeedSpread) -> Record:
    """Mean mAP over seeds of one less that of the other, with a 95 % interval.

    Its variance is that of a paired bootstrap over clips, the same draws for both, and that of two
    means over seeds; the interval is centred on the gap, as a clip drawn twice makes rare classes
    look easier, for all models. Without a second seed anywhere it knows of the clips alone.
    real: whether it leaves out 0; None where a model has fewer than ENOUGH_SEEDS seeds.
    """
    gap = float(np.mean([r.mean_ap for r in ours.runs]) - np.mean([r.mean_ap for r in theirs.runs]))
    of_clips = float(np.nanvar(_drawn(ours) - _drawn(theirs), ddof=1))
    of_seeds = spread.variance * (1 / len(ours.runs) + 1 / len(theirs.runs))
    half = float(special.stdtrit(spread.freedom or np.inf, 0.975)) * (of_clips + of_seeds) ** 0.5
    low, high = gap - half, gap + half
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


def beyond(study: Study, metrics_dir: Path) -> Record | None:
    """The two tables; None where there is nothing beside one training of the paper's variants.

    models: one row a model, against LEAN; steps: one row for each that comes after another;
    retrained: `plus` less each model with LEAN's own network that was trained in another way.
    """
    models = study.models
    seeds = max((len(model.runs) for model in models.values()), default=0)
    if set(models) <= set(VARIANTS) and seeds < 2:
        return None
    draws = {len(run.resampled) for model in models.values() for run in model.runs}
    if len(draws) > 1:
        raise LeanError(
            f"{metrics_dir}: the models were not all resampled alike, but {sorted(draws)} times; "
            "ablation.resamples must be the same for all: run the others again"
        )
    notes = metrics_dir / "study" / NOTES_FILE
    spread = seed_spread(models.values())
    rows = [
        {
            "name": model.name,
            "mAP": mean_with_interval([run.mean_ap for run in model.runs]),
            "val_mAP": mean_with_interval([run.val_map for run in model.runs]),
            "parameters": model.parameters,
            "less": difference(model, models[LEAN], spread) if model.name != LEAN else None,
            "cost": _cost(model),
        }
        for model in models.values()
    ]
    steps = [_step(m, models[m.after], spread) for m in models.values() if m.after in models]
    return {
        "models": rows,
        "steps": steps,
        "retrained": _retrained(models, spread),
        "evaluations": sum(len(model.runs) for model in models.values()),
        "seeds": seeds,
        "notes": notes.read_text("utf-8").split("\n\n")
        if notes.is_file() and not study.left_out
        else [],
        "timing_noise": _timing_noise(models.values()),
        "elsewhere": _elsewhere(models.values()),
        "LEAN": LEAN,
        "PLUS": PLUS,
        "USUAL_BACKEND": USUAL_BACKEND,
    }


def _retrained(models: Mapping[str, Model], spread: SeedSpread) -> list[Record]:
    """PLUS less each model that has LEAN's network but another training."""
    same = {LEAN: models[LEAN]}
    for model in models.values():  # each after the one that it comes from
        if model.after in same and model.parameters == models[LEAN].parameters:
            same[model.name] = model
    others = [model for model in same.values() if model.name != LEAN and PLUS in models]
    return [{"name": m.name, **difference(models[PLUS], m, spread)} for m in others]


def _elsewhere(models: Iterable[Model]) -> dict[str, dict[str, list[int]]]:
    """Backends of Keras other than the usual one -> models -> seeds trained under it."""
    found: dict[str, dict[str, list[int]]] = {}
    for model in models:
        for run in model.runs:
            if run.backend != USUAL_BACKEND:
                found.setdefault(run.backend, {}).setdefault(model.name, []).append(run.seed)
    return found


def _timing_noise(models: Iterable[Model]) -> float | None:
    """By how much the multiples of files of one size differ at most: they hold one network."""
    by_size = defaultdict(list)
    for cost in map(_cost, models):
        if cost["bytes"] is not None:
            by_size[cost["bytes"]].append(cost["against"])
    spreads = [max(values) - min(values) for values in by_size.values() if len(values) > 1]
    return max(spreads, default=None)


def means(metrics_dir: Path, settings: Settings) -> dict[str, Record]:
    """Of each model, its mAP over seeds."""
    models = read_study(metrics_dir, settings).models.values()
    return {model.name: mean_with_interval([run.mean_ap for run in model.runs]) for model in models}


def _step(model: Model, before: Model, spread: SeedSpread) -> Record:
    return {
        "name": model.name,
        "after": model.after,
        "change": model.change,
        "seeds": f"{len(model.runs)} / {len(before.runs)}",
        **difference(model, before, spread),
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
