"""Measure one trained variant on the evaluation clips."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lean_audio.batches import Examples
from lean_audio.files import whole
from lean_audio.metrics import evaluate_scores
from lean_audio.model import build_head, count_parameters
from lean_audio.params import Evaluate, Variant
from lean_audio.scoring import score_clips


@dataclass(frozen=True)
class Result:
    """scores: (clips, classes); classes: per-class AP, AUC and positives; metrics: one number each.

    parameters: of the whole network, backbone included.
    """

    scores: np.ndarray
    classes: pd.DataFrame
    metrics: dict[str, Any]
    parameters: int

    def save_scores(self, path: Path) -> None:
        with whole(path) as temporary:
            np.save(temporary, self.scores)

    def summary(self, provenance: dict[str, Any], training: dict[str, Any]) -> dict[str, Any]:
        """What metrics/<dataset>/<variant>.json holds, with what the numbers rest on."""
        return {
            **self.metrics,
            "parameters": self.parameters,
            "best_epoch": training["best_epoch"],
            "synthetic": provenance["dataset"]["synthetic"],
            "yamnet_trained": provenance["yamnet"]["trained"],
        }


def evaluate(variant: Variant, weights: Path, examples: Examples, settings: Evaluate) -> Result:
    """Load the head's weights, score every evaluation clip, compute the metrics."""
    vocabulary = examples.chunks.vocabulary
    model = build_head(variant, len(vocabulary))
    model.load_weights(weights)
    scores = score_clips(model, examples, settings.batch_size)
    evaluation = evaluate_scores(examples.chunks.clip_targets, scores, vocabulary)
    parameters = count_parameters(variant, len(vocabulary))
    return Result(scores, evaluation.classes, evaluation.summary, parameters)
