"""Everything that is measured of a trained model's scores of the evaluation clips."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lean_audio.config.schema import Evaluate
from lean_audio.files import write_csv, write_json
from lean_audio.metrics.accuracy import accuracy
from lean_audio.metrics.bootstrap import resampled_map
from lean_audio.metrics.curves import curve_labels, precision_recall, reliability
from lean_audio.metrics.rounding import rounded
from lean_audio.metrics.summary import evaluate_scores

DIGITS = 12  # of a SHA-256: enough to tell two of them apart in a table


@dataclass(frozen=True)
class Evaluation:
    """metrics: one number each; tables: by the stem of their CSV file."""

    metrics: dict[str, Any]
    tables: dict[str, pd.DataFrame]

    def save(self, folder: Path, data_sha256: str, weights_sha256: str) -> None:
        """Write metrics.json, with what was measured on which data, and tables/*.csv."""
        measured = {"data": data_sha256[:DIGITS], "weights": weights_sha256[:DIGITS]}
        write_json(folder / "metrics.json", rounded(self.metrics) | measured)
        for name, table in self.tables.items():
            write_csv(folder / "tables" / f"{name}.csv", rounded(table))


def evaluate(
    targets: np.ndarray, scores: np.ndarray, labels: Sequence[str], settings: Evaluate
) -> Evaluation:
    """Measure a model's scores.

    Parameters
    ----------
    targets
        (clips, classes) 0/1 of the evaluation split.
    scores
        (clips, classes) in [0, 1].
    labels
        Of the classes.
    settings
        Classes with a curve, and number of bootstrap draws.

    Returns
    -------
    Evaluation
        Metrics, with accuracy if every clip has exactly one label, and the tables classes, pr,
        reliability and resampled.

    Raises
    ------
    LeanError
        For an unknown label in settings.curve_classes.
    """
    shown = curve_labels(settings.curve_classes, targets, labels)
    summary = evaluate_scores(targets, scores, tuple(labels))
    tables = {
        "classes": summary.classes,
        "pr": precision_recall(targets, scores, labels, shown),
        "reliability": reliability(targets, scores),
        "resampled": resampled_map(targets, scores, settings.resamples),
    }
    single = accuracy(targets, scores, settings.resamples)
    return Evaluation(summary.summary | single, tables)
