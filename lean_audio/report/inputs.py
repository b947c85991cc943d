"""Reads what the other stages wrote to `metrics/<dataset>/`; names the stage of what is missing."""

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
    "yamnet.trained yamnet.savedmodel_sha256 yamnet.weights_sha256 "
    "data_sha256.train data_sha256.val data_sha256.eval",
)
TRAINING = Source(
    "train",
    "model seed settings_sha256 data_sha256.train data_sha256.val epochs learning_rate schedule "
    "batch_size best_epoch val_mAP parameters backend",
)
METRICS = Source(
    "evaluate",
    "mAP mAUC d_prime d_prime_per_class lwlrap clips classes_scored classes_without_positives data",
)
CLASSES = Source("evaluate", "label AP AUC positives")
COUNTS = Source("prepare", "label train val eval")
RECALL = Source("evaluate", "label recall precision")
RESAMPLED = Source("evaluate", "mAP")
RELIABILITY = Source("evaluate", "low high pairs mean_score positive_share")
HISTORY = Source("train", "epoch loss val_loss val_mAP")
SET_ASIDE = Source("prepare", "clip split file reason")


def number(text: str | None) -> float | None:
    """Parse a CSV cell as a number; None if it is empty or not finite."""
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


def numeric(tables: Mapping[str, Sequence[Record]]) -> dict[str, Table]:
    """Convert every cell of the tables but the label to a number."""
    return {
        name: [
            {key: cell if key == "label" else number(cell) for key, cell in row.items()}
            for row in rows
        ]
        for name, rows in tables.items()
    }


def flatten(record: Record, prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings to dotted keys: `{"a": {"b": 1}}` becomes `{"a.b": 1}`."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        nested = isinstance(value, dict)
        flat |= flatten(value, f"{prefix}{key}.") if nested else {prefix + key: value}
    return flat


def existing(path: Path, source: Source) -> Path:
    """Return the path; raise LeanError if there is no such file."""
    if not path.is_file():
        raise LeanError(f"{path} is missing: stage {source.stage} writes it.")
    return path


def require(path: Path, source: Source, present: Container[str]) -> None:
    """Raise LeanError that names the keys of `source` that `path` lacks."""
    absent = [key for key in source.keys.split() if key not in present]
    if absent:
        raise LeanError(f"{path} lacks {', '.join(absent)}: stage {source.stage} writes the file.")


def read_record(path: Path, source: Source) -> Record:
    """Read a JSON object as dotted keys; raise LeanError if some of `source` are missing."""
    text = existing(path, source).read_text(encoding="utf-8")
    try:
        record = flatten(json.loads(text))
    except (json.JSONDecodeError, AttributeError) as error:
        raise LeanError(f"{path} holds no JSON object: stage {source.stage} writes it.") from error
    require(path, source, record)
    return record


def read_table(path: Path, source: Source) -> Table:
    """Read the rows of a CSV file; raise LeanError if columns of `source` are missing."""
    rows = csv.DictReader(io.StringIO(existing(path, source).read_text(encoding="utf-8")))
    require(path, source, rows.fieldnames or ())
    return list(rows)
