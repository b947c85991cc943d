"""Reads every training there is, and leaves out those that do not belong to this run."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lean_audio.report.inputs import (
    METRICS,
    PROVENANCE,
    RESAMPLED,
    TRAINING,
    VARIANTS,
    Record,
    read_record,
    read_table,
)
from lean_audio.report.models import ModelInfo, Models

UNFINISHED, OTHER_MODEL = "not evaluated yet", "of models not in variants"
OTHER_SETTINGS, OTHER_DATA = "with other settings", "on other data"
OTHER_DRAWS = "evaluated with another number of bootstrap draws"


@dataclass(frozen=True)
class Training:
    """One model trained with one seed and evaluated.

    record: its directory; facts: training.json and metrics.json; resampled: (resamples,) mAP on
    draws of clips that are the same for all trainings.
    """

    record: Path
    facts: Record
    resampled: np.ndarray

    @property
    def model(self) -> str:
        return self.facts["model"]

    @property
    def seed(self) -> int:
        return self.facts["seed"]

    @property
    def backend(self) -> str:
        return self.facts["backend"]

    @property
    def mean_ap(self) -> float:
        """Evaluation mAP; NaN if no evaluation clip has a label."""
        return math.nan if self.facts["mAP"] is None else self.facts["mAP"]

    @property
    def val_map(self) -> float:
        return self.facts["val_mAP"]


@dataclass
class Trained:
    """A model with all its trainings.

    after, change: the model it differs from, and how; cost: its size and latency, None if they
    were not measured.
    """

    name: str
    after: str = ""
    change: str = ""
    cost: Record | None = None
    runs: list[Training] = field(default_factory=list)

    @property
    def parameters(self) -> int:
        return self.runs[0].facts["parameters"]


@dataclass(frozen=True)
class Trainings:
    """models: by name, the paper's first; left_out: reason -> model -> seeds."""

    models: Mapping[str, Trained]
    left_out: Mapping[str, Mapping[str, Sequence[int]]]

    def find(self, model: str, seed: int) -> Training | None:
        runs = self.models[model].runs if model in self.models else []
        return next((run for run in runs if run.seed == seed), None)


def read_trainings(metrics_dir: Path, models: Models, draws: int | None = None) -> Trainings:
    """Read the trainings of the models in this params file, on the data of its provenance.

    draws: number of bootstrap draws that a training must have; None for the most frequent one.
    Every other training is left out, by reason.
    """
    provenance = read_record(metrics_dir / "provenance.json", PROVENANCE)
    own: list[Training] = []
    left_out: dict[str, dict[str, list[int]]] = {}

    def leave_out(reason: str, facts: Record) -> None:
        left_out.setdefault(reason, {}).setdefault(facts["model"], []).append(facts["seed"])

    for path in sorted((metrics_dir / "trainings").glob("*/training.json")):
        facts = read_record(path, TRAINING)
        if reason := _reason_to_leave_out(path.parent, facts, models, provenance):
            leave_out(reason, facts)
        else:
            own.append(read_training(path.parent))
    draws = draws or _usual_draws(own)
    found: dict[str, Trained] = {}
    for run in own:
        if len(run.resampled) not in (draws, 0):  # 0: no evaluation clip has a label
            leave_out(OTHER_DRAWS, run.facts)
            continue
        info = models[run.model]
        found.setdefault(run.model, Trained(run.model, info.after, info.change)).runs.append(run)
    for name, trained in found.items():
        trained.runs.sort(key=lambda run: run.seed)
        path = metrics_dir / "costs" / f"{name}.json"
        trained.cost = _read_cost(path, models[name], provenance)
    return Trainings({name: found[name] for name in _in_order(found)}, left_out)


def _usual_draws(trainings: Sequence[Training]) -> int:
    """Return the most frequent number of bootstrap draws; only equal ones can be paired."""
    counts = Counter(len(run.resampled) for run in trainings)
    return max(counts, key=lambda draws: (counts[draws], draws), default=0)


def _reason_to_leave_out(
    folder: Path, facts: Record, models: Models, provenance: Record
) -> str | None:
    if facts["model"] not in models:
        return OTHER_MODEL
    if facts["settings_sha256"] != models[facts["model"]].sha256:
        return OTHER_SETTINGS
    keys = ("data_sha256.train", "data_sha256.val")
    if any(facts[key] != provenance[key] for key in keys):
        return OTHER_DATA
    if not (folder / "metrics.json").is_file():
        return UNFINISHED
    evaluated = read_record(folder / "metrics.json", METRICS)
    if not facts.get("weights_sha256", "").startswith(evaluated.get("weights", "")):
        return UNFINISHED  # trained again since
    return None if provenance["data_sha256.eval"].startswith(evaluated["data"]) else OTHER_DATA


def read_training(folder: Path) -> Training:
    """Read one training's record: its facts and metrics, and the mAP of each draw of clips."""
    training = read_record(folder / "training.json", TRAINING)
    facts = {**training, **read_record(folder / "metrics.json", METRICS)}
    rows = read_table(folder / "tables" / "resampled.csv", RESAMPLED)
    resampled = np.array([float(row["mAP"] or "nan") for row in rows])
    return Training(folder, facts, resampled)


def _read_cost(path: Path, model: ModelInfo, provenance: Record) -> Record | None:
    """Read a cost; None if it was not measured, or of another network, backbone or vocabulary."""
    cost = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    measured = [cost.get(key) for key in ("network_sha256", "weights_sha256", "classes")]
    keys = ("yamnet.weights_sha256", "dataset.classes")
    return cost if measured == [model.network_sha256, *(provenance[key] for key in keys)] else None


def _in_order(models: Mapping[str, Trained]) -> Iterator[str]:
    """Yield the paper's models first, and every other one behind the model it comes after."""
    ours = [name for name in VARIANTS if name in models]
    roots = ours + [name for name, model in models.items() if model.after not in models]
    following = defaultdict(list)
    for name, model in models.items():
        following[model.after].append(name)

    def with_following(name: str) -> list[str]:
        return [name, *(n for other in following[name] for n in with_following(other))]

    first = list(dict.fromkeys(roots))
    yield from first
    yield from (n for name in first for n in with_following(name) if n not in first)
