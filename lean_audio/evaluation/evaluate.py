"""Measure one trained variant by its scores of the evaluation clips."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lean_audio.config.schema import Evaluate
from lean_audio.features.chunks import Chunks
from lean_audio.files import write_csv
from lean_audio.metrics.bootstrap import resampled_map
from lean_audio.metrics.curves import curve_labels, precision_recall, reliability
from lean_audio.metrics.summary import evaluate_scores


@dataclass(frozen=True)
class Result:
    """tables: by the end of their file's name; metrics: one number each."""

    tables: dict[str, pd.DataFrame]
    metrics: dict[str, Any]

    def save_tables(self, folder: Path, variant: str) -> None:
        for name, table in self.tables.items():
            write_csv(folder / f"{variant}.{name}.csv", table)

    def summary(self, provenance: dict[str, Any], training: dict[str, Any]) -> dict[str, Any]:
        """What metrics/<dataset>/<variant>.json holds, with what the numbers rest on."""
        return {
            **self.metrics,
            "parameters": training["parameters"],
            "best_epoch": training["best_epoch"],
            "synthetic": provenance["dataset"]["synthetic"],
            "yamnet_trained": provenance["yamnet"]["trained"],
        }


def evaluate(
    scores: np.ndarray,
    chunks: Chunks,
    train_targets: np.ndarray,
    settings: Evaluate,
    resamples: int,
) -> Result:
    """scores: (clips, classes) of the evaluation split, whose `chunks` these are.

    train_targets: (training clips, classes) 0/1, to be counted beside each class's metrics;
    resamples: of the clips, on each of which the mAP is taken.
    Raises LeanError for an unknown label in settings.curve_classes.
    """
    vocabulary, targets = chunks.vocabulary, chunks.clip_targets
    shown = curve_labels(settings.curve_classes, targets, vocabulary)
    evaluation = evaluate_scores(targets, scores, vocabulary)
    tables = {
        "classes": evaluation.classes.assign(train_clips=train_targets.sum(axis=0)),
        "pr": precision_recall(targets, scores, vocabulary, shown),
        "reliability": reliability(targets, scores, settings.reliability_bins),
        "resampled": resampled_map(targets, scores, resamples),
    }
    return Result(tables, evaluation.summary)
