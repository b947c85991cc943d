"""Measure one trained variant on the evaluation clips."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lean_audio.backbone import Backbone
from lean_audio.batches import Examples
from lean_audio.bootstrap import resampled_map
from lean_audio.curves import curve_labels, precision_recall, reliability
from lean_audio.files import whole, write_csv
from lean_audio.metrics import evaluate_scores
from lean_audio.model import build_head, count_parameters
from lean_audio.scoring import score_clips
from lean_audio.sections import Evaluate, Variant


@dataclass(frozen=True)
class Result:
    """scores: (clips, classes); tables: by the end of their file's name; metrics: one number each.

    parameters: of the whole network, backbone included.
    """

    scores: np.ndarray
    tables: dict[str, pd.DataFrame]
    metrics: dict[str, Any]
    parameters: int

    def save_scores(self, path: Path) -> None:
        with whole(path) as temporary:
            np.save(temporary, self.scores)

    def save_tables(self, folder: Path, variant: str) -> None:
        for name, table in self.tables.items():
            write_csv(folder / f"{variant}.{name}.csv", table)

    def summary(self, provenance: dict[str, Any], training: dict[str, Any]) -> dict[str, Any]:
        """What metrics/<dataset>/<variant>.json holds, with what the numbers rest on."""
        return {
            **self.metrics,
            "parameters": self.parameters,
            "best_epoch": training["best_epoch"],
            "synthetic": provenance["dataset"]["synthetic"],
            "yamnet_trained": provenance["yamnet"]["trained"],
        }


def evaluate(
    variant: Variant,
    backbone: Backbone,
    weights: Path,
    examples: Examples,
    train_targets: np.ndarray,
    settings: Evaluate,
    resamples: int,
) -> Result:
    """Load the head's weights, score every evaluation clip, compute the metrics.

    train_targets: (training clips, classes) 0/1, to be counted beside each class's metrics;
    resamples: of the clips, on each of which the mAP is taken.
    Raises LeanError for an unknown label in settings.curve_classes.
    """
    vocabulary, targets = examples.chunks.vocabulary, examples.chunks.clip_targets
    shown = curve_labels(settings.curve_classes, targets, vocabulary)
    model = build_head(variant, len(vocabulary), backbone)
    model.load_weights(weights)
    scores = score_clips(model, examples, settings.batch_size)
    evaluation = evaluate_scores(targets, scores, vocabulary)
    tables = {
        "classes": evaluation.classes.assign(train_clips=train_targets.sum(axis=0)),
        "pr": precision_recall(targets, scores, vocabulary, shown),
        "reliability": reliability(targets, scores, settings.reliability_bins),
        "resampled": resampled_map(targets, scores, resamples),
    }
    parameters = count_parameters(variant, len(vocabulary), backbone)
    return Result(scores, tables, evaluation.summary, parameters)
