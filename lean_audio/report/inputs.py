"""Reads what the other stages left in `metrics/<dataset>/`, and says who writes what is missing."""

import csv
import io
import json
import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lean_audio.errors import LeanError
from lean_audio.report import paper

Record = Mapping[str, Any]
Table = list[dict[str, Any]]  # rows of a CSV file, cells as text
Settings = Mapping[str, str]  # model -> SHA-256 of its settings in this params file
VARIANTS = tuple(row.variant for row in paper.ABLATION)


@dataclass(frozen=True)
class Source:
    """Which stage writes a file, and the keys or columns of it that the report reads."""

    stage: str
    keys: str


PROVENANCE = Source(
    "embed",
    "dataset.name dataset.origin dataset.synthetic dataset.classes dataset.clips.train "
    "dataset.clips.val dataset.clips.eval dataset.clips.set_aside yamnet.source yamnet.handle "
    "yamnet.trained yamnet.savedmodel_sha256 yamnet.weights_sha256 data_sha256",
)
TRAINING = Source(
    "train", "epochs learning_rate batch_size seed settings_sha256 data_sha256 backend"
)
REPEAT = Source(  # and `backend`, but for the oldest
    "repeat", "model seed mAP val_mAP best_epoch parameters settings_sha256 data_sha256"
)
METRICS = Source(
    "evaluate",
    "mAP mAUC d_prime d_prime_per_class lwlrap parameters classes_scored "
    "classes_without_positives best_epoch synthetic yamnet_trained",
)
CLASSES = Source("evaluate", "label AP AUC positives train_clips")
RECALL = Source("evaluate", "label recall precision")
RELIABILITY = Source("evaluate", "low high pairs mean_score positive_share")
HISTORY = Source("train", "epoch loss val_loss val_mAP")
SET_ASIDE = Source("prepare", "clip split file reason")


@dataclass(frozen=True)
class Summary:
    """What the README's table needs: `provenance` with dotted keys, metrics by variant."""

    provenance: Record
    metrics: Mapping[str, Record]


@dataclass(frozen=True)
class Measured(Summary):
    """One directory of metrics; the mappings by variant; training: of the paper's five alike."""

    training: Record
    classes: Mapping[str, Table]
    recall: Mapping[str, Table]
    reliability: Mapping[str, Table]
    histories: Mapping[str, Table]
    set_aside: Table


def number(text: str | None) -> float | None:
    """A CSV cell as a number; None for an empty cell or one that is not finite."""
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


def numeric(tables: Mapping[str, Sequence[Record]]) -> dict[str, Table]:
    """The tables with every cell but the label as a number."""
    return {
        name: [
            {key: cell if key == "label" else number(cell) for key, cell in row.items()}
            for row in rows
        ]
        for name, rows in tables.items()
    }


def flatten(record: Record, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one with dotted keys: `{"a": {"b": 1}}` becomes `{"a.b": 1}`."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        nested = isinstance(value, dict)
        flat |= flatten(value, f"{prefix}{key}.") if nested else {prefix + key: value}
    return flat


def existing(path: Path, source: Source) -> Path:
    """The path; LeanError where there is no such file."""
    if not path.is_file():
        raise LeanError(f"{path} is missing: stage {source.stage} writes it.")
    return path


def require(path: Path, source: Source, present: Container[str]) -> None:
    """LeanError that names the keys of `source` which `path` lacks."""
    absent = [key for key in source.keys.split() if key not in present]
    if absent:
        raise LeanError(f"{path} lacks {', '.join(absent)}: stage {source.stage} writes the file.")


def read_record(path: Path, source: Source) -> Record:
    """A JSON object with dotted keys, complete."""
    text = existing(path, source).read_text(encoding="utf-8")
    try:
        record = flatten(json.loads(text))
    except (json.JSONDecodeError, AttributeError) as error:
        raise LeanError(f"{path} holds no JSON object: stage {source.stage} writes it.") from error
    require(path, source, record)
    return record


def read_table(path: Path, source: Source) -> Table:
    """The rows of a CSV file, its columns complete."""
    rows = csv.DictReader(io.StringIO(existing(path, source).read_text(encoding="utf-8")))
    require(path, source, rows.fieldnames or ())
    return list(rows)


def belongs(facts: Record, model: str, settings: Settings, provenance: Record) -> bool:
    """Whether a training has the settings of this params file and was on the data reported."""
    return (facts["settings_sha256"], facts["data_sha256"]) == (
        settings.get(model),
        provenance["data_sha256"],
    )


def read_summary(metrics_dir: Path, settings: Settings) -> Summary:
    """Read provenance and metrics alone: of the paper's five, and of those others that belong here.

    settings: SHA-256 of each model's in this params file.
    Raises LeanError where one of the five was trained on other data or by other settings.
    """
    provenance = read_record(metrics_dir / "provenance.json", PROVENANCE)

    def is_own(name: str) -> bool:
        facts = read_record(metrics_dir / f"{name}.training.json", TRAINING)
        return belongs(facts, name, settings, provenance)

    if stale := [name for name in VARIANTS if not is_own(name)]:
        raise LeanError(
            f"{metrics_dir}: {', '.join(stale)} was trained on other data or by other settings "
            "than those of this run: `dvc repro` trains it anew"
        )
    found = {path.name.removesuffix(".classes.csv") for path in metrics_dir.glob("*.classes.csv")}
    names = (*VARIANTS, *sorted(name for name in found - set(VARIANTS) if is_own(name)))
    return Summary(
        provenance=provenance,
        metrics={name: read_record(metrics_dir / f"{name}.json", METRICS) for name in names},
    )


def read_measured(metrics_dir: Path, settings: Settings) -> Measured:
    """Read one dataset's metrics; LeanError where a file, a key or a column is missing."""

    def tables(kind: str, source: Source) -> dict[str, Table]:
        names = summary.metrics
        return {name: read_table(metrics_dir / f"{name}.{kind}.csv", source) for name in names}

    summary = read_summary(metrics_dir, settings)
    return Measured(
        provenance=summary.provenance,
        metrics=summary.metrics,
        training=read_record(metrics_dir / f"{VARIANTS[0]}.training.json", TRAINING),
        classes=tables("classes", CLASSES),
        recall=tables("pr", RECALL),
        reliability=tables("reliability", RELIABILITY),
        histories=tables("history", HISTORY),
        set_aside=read_table(metrics_dir / "set_aside.csv", SET_ASIDE),
    )
