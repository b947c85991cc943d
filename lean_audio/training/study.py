"""Train and evaluate a model with one more seed, for intervals and for the ingredients of `plus`.

Nothing is kept of it but numbers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lean_audio.backbones.base import Backbone
from lean_audio.config.schema import Train, Variant
from lean_audio.files import write_csv, write_json
from lean_audio.metrics.bootstrap import resampled_map
from lean_audio.metrics.summary import evaluate_scores
from lean_audio.training.batches import Examples
from lean_audio.training.fit import train
from lean_audio.training.scoring import score_clips


@dataclass(frozen=True)
class Settings:
    """score_batch_size, resamples: as in the stages train and evaluate."""

    recipe: Train
    score_batch_size: int
    resamples: int


@dataclass(frozen=True)
class Outcome:
    """metrics: one number each; resampled: mAP by resample of the clips."""

    metrics: dict[str, Any]
    resampled: pd.DataFrame

    def save(self, path: Path, about: dict[str, Any]) -> None:
        """Write <path>.json, with what the model is, and <path>.resampled.csv."""
        write_json(path.with_name(f"{path.name}.json"), about | self.metrics)
        write_csv(path.with_name(f"{path.name}.resampled.csv"), self.resampled)


def study(
    variant: Variant,
    splits: dict[str, Examples],
    backbone: Backbone,
    pretrained: Path,
    settings: Settings,
    seed: int,
) -> Outcome:
    """splits: by name; pretrained: folder of the backbone's weights.

    Raises LeanError as `train` does.
    """
    run = train(
        variant,
        splits["train"],
        splits["val"],
        settings.recipe,
        backbone,
        pretrained,
        seed=seed,
        score_batch_size=settings.score_batch_size,
    )
    chunks = splits["eval"].chunks
    targets = chunks.clip_targets
    scores = score_clips(run.model, splits["eval"], settings.score_batch_size)
    metrics = {
        **evaluate_scores(targets, scores, chunks.vocabulary).summary,
        "val_mAP": float(run.history["val_mAP"].max()),
        **run.facts,
    }
    return Outcome(metrics, resampled_map(targets, scores, settings.resamples))
