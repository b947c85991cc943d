"""The variants that the report shows in full, with all their tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lean_audio.errors import LeanError
from lean_audio.report.inputs import (
    CLASSES,
    COUNTS,
    HISTORY,
    PROVENANCE,
    RECALL,
    RELIABILITY,
    SET_ASIDE,
    Record,
    Source,
    Table,
    read_record,
    read_table,
)
from lean_audio.report.models import Models
from lean_audio.report.trainings import Training, Trainings


@dataclass(frozen=True)
class Measured:
    """One dataset's measurements; mappings are by variant.

    provenance: with dotted keys; metrics: facts and metrics of each training; train_clips: by
    label.
    """

    provenance: Record
    metrics: Mapping[str, Record]
    classes: Mapping[str, Table]
    recall: Mapping[str, Table]
    reliability: Mapping[str, Table]
    histories: Mapping[str, Table]
    train_clips: Mapping[str, int]
    set_aside: Table


def read_measured(
    metrics_dir: Path, trainings: Trainings, models: Models, seed: int, headline: str, limit: int
) -> Measured:
    """Read the tables of at most `limit` models whose training with `seed` has them.

    The headline is always among them; the others are the first ones of `models`.

    Raises LeanError if the headline has no such training, or a file, a key or a column is missing.
    """
    if trainings.find(headline, seed) is None:
        raise LeanError(
            f"{headline} was not trained and evaluated with seed {seed} on this data with these "
            "settings: run `dvc repro`"
        )
    shown = [run for name in models if (run := trainings.find(name, seed))]
    shown = [run for run in shown if run.model == headline or _has_tables(run)]
    kept = [headline, *(run.model for run in shown if run.model != headline)][:limit]
    shown = [run for run in shown if run.model in kept]

    def tables(name: str, source: Source) -> dict[str, Table]:
        return {
            run.model: read_table(run.record / "tables" / f"{name}.csv", source) for run in shown
        }

    counts = read_table(metrics_dir / "class_counts.csv", COUNTS)
    return Measured(
        provenance=read_record(metrics_dir / "provenance.json", PROVENANCE),
        metrics={run.model: run.facts for run in shown},
        classes=tables("classes", CLASSES),
        recall=tables("pr", RECALL),
        reliability=tables("reliability", RELIABILITY),
        histories={run.model: read_table(run.record / "history.csv", HISTORY) for run in shown},
        train_clips={row["label"]: int(row["train"]) for row in counts},
        set_aside=read_table(metrics_dir / "set_aside.csv", SET_ASIDE),
    )


def _has_tables(run: Training) -> bool:
    return (run.record / "tables" / "classes.csv").is_file()
