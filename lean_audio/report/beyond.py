"""Beyond the paper: every model with every seed, which differences are significant, and costs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import special

from lean_audio.report.inputs import VARIANTS, Record
from lean_audio.report.trainings import Trained, Trainings

LEAN = "joint-bahdanau"  # what all others are compared with
PLUS = "plus"  # ours
USUAL_BACKEND = "tensorflow"  # of Keras: the pipeline's default
ENOUGH_SEEDS = 3  # of both models, before a difference is called significant or not
NOTES_FILE = "notes.md"  # what readers of the tables must know that the files cannot say


def mean_with_interval(values: Sequence[float]) -> Record:
    """Return mean and 95 % interval over seeds, by Student's t; no interval for one seed."""
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


def seed_spread(models: Iterable[Trained]) -> SeedSpread:
    """Pool the variance over models; 0 with no degree of freedom if every model has one seed."""
    runs = [[run.mean_ap for run in model.runs] for model in models]
    freedom = sum(len(values) - 1 for values in runs)
    squares = sum(float(np.var(values)) * len(values) for values in runs)
    return SeedSpread(squares / freedom if freedom else 0.0, freedom)


def difference(ours: Trained, theirs: Trained, spread: SeedSpread) -> Record:
    """Compare the mean mAP over seeds of two models.

    The variance is that of a paired bootstrap over clips plus that of two means over seeds; if no
    model has a second seed, that of the clips alone. The interval is centred on the gap, because a
    clip drawn twice makes rare classes look easier for all models.

    Returns
    -------
    dict
        gap, low, high: difference and its 95 % interval; significant: whether the interval excludes
        0, None if a model has fewer than ENOUGH_SEEDS seeds.
    """
    gap = float(np.mean([r.mean_ap for r in ours.runs]) - np.mean([r.mean_ap for r in theirs.runs]))
    of_clips = float(np.nanvar(_drawn(ours) - _drawn(theirs), ddof=1))
    of_seeds = spread.variance * (1 / len(ours.runs) + 1 / len(theirs.runs))
    half = float(special.stdtrit(spread.freedom or np.inf, 0.975)) * (of_clips + of_seeds) ** 0.5
    low, high = gap - half, gap + half
    enough = min(len(ours.runs), len(theirs.runs)) >= ENOUGH_SEEDS
    return {
        "gap": gap,
        "low": low,
        "high": high,
        "significant": low > 0 or high < 0 if enough else None,
    }


def _drawn(model: Trained) -> np.ndarray:
    """Average the mAP of each draw of the clips over seeds: (resamples,)."""
    return np.mean([run.resampled for run in model.runs], axis=0)


def _cost(model: Trained) -> Record:
    """Return bytes, ms per chunk with one thread, and ms relative to the backbone's."""
    if model.cost is None:
        return {"bytes": None, "ms": None, "against": None}
    first = next(iter(model.cost["latency"]))
    ms, backbone_ms = (
        model.cost[name][first]["median_ms"] for name in ("latency", "backbone_latency")
    )
    return {"bytes": model.cost["bytes"], "ms": ms, "against": ms / backbone_ms}


def beyond(trainings: Trainings, metrics_dir: Path) -> Record | None:
    """Compare every model and seed; None if there is nothing but one seed of the paper's models.

    Returns
    -------
    dict
        models: one row per model, compared with LEAN; steps: one row per model that comes after
        another; retrained: `plus` compared with each model that has LEAN's network but another
        training; evaluations, seeds: how many; notes: of the maintainers, if nothing was left out;
        timing_noise, elsewhere: see _timing_noise and _elsewhere; LEAN, PLUS, USUAL_BACKEND: names.
    """
    models = {
        name: model
        for name, model in trainings.models.items()
        if not any(np.isnan(run.mean_ap) for run in model.runs)
    }
    seeds = max((len(model.runs) for model in models.values()), default=0)
    if LEAN not in models or (set(models) <= set(VARIANTS) and seeds < 2):
        return None
    notes = metrics_dir / NOTES_FILE
    spread = seed_spread(models.values())
    rows = [
        {
            "name": model.name,
            "mAP": mean_with_interval([run.mean_ap for run in model.runs]),
            "val_mAP": mean_with_interval([run.val_map for run in model.runs]),
            "parameters": model.parameters,
            "difference": difference(model, models[LEAN], spread) if model.name != LEAN else None,
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
        if notes.is_file() and not trainings.left_out
        else [],
        "timing_noise": _timing_noise(models.values()),
        "elsewhere": _elsewhere(models.values()),
        "LEAN": LEAN,
        "PLUS": PLUS,
        "USUAL_BACKEND": USUAL_BACKEND,
    }


def _retrained(models: Mapping[str, Trained], spread: SeedSpread) -> list[Record]:
    """Compare PLUS with each model that has LEAN's network but another training."""
    same = {LEAN: models[LEAN]}
    for model in models.values():  # each after the one that it comes from
        if model.after in same and model.parameters == models[LEAN].parameters:
            same[model.name] = model
    others = [model for model in same.values() if model.name != LEAN and PLUS in models]
    return [{"name": m.name, **difference(models[PLUS], m, spread)} for m in others]


def _elsewhere(models: Iterable[Trained]) -> dict[str, dict[str, list[int]]]:
    """Return unusual Keras backends -> models -> seeds trained under them."""
    found: dict[str, dict[str, list[int]]] = {}
    for model in models:
        for run in model.runs:
            if run.backend != USUAL_BACKEND:
                found.setdefault(run.backend, {}).setdefault(model.name, []).append(run.seed)
    return found


def _timing_noise(models: Iterable[Trained]) -> float | None:
    """Return how far relative latencies of one network, which has one file size, differ at most."""
    by_size = defaultdict(list)
    for cost in map(_cost, models):
        if cost["bytes"] is not None:
            by_size[cost["bytes"]].append(cost["against"])
    spreads = [max(values) - min(values) for values in by_size.values() if len(values) > 1]
    return max(spreads, default=None)


def means(trainings: Trainings) -> dict[str, Record]:
    """Return each model's mean mAP over seeds, with its interval."""
    scored = {
        name: [run.mean_ap for run in model.runs if not np.isnan(run.mean_ap)]
        for name, model in trainings.models.items()
    }
    return {name: mean_with_interval(values) for name, values in scored.items() if values}


def _step(model: Trained, before: Trained, spread: SeedSpread) -> Record:
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
    """Return the added bytes and ms; None if not measured, no ms if the network is the same.

    A machine's speed changes from process to process, so the ms are computed from latencies
    relative to the backbone's beside them, at the speed at which `theirs` was measured.
    """
    if None in (*ours.values(), *theirs.values()):
        return {"bytes": None, "ms": None}
    added = ours["bytes"] - theirs["bytes"]
    ms = (ours["against"] - theirs["against"]) * theirs["ms"] / theirs["against"]
    return {"bytes": added, "ms": ms if added else None}
