"""Train one variant on cached embeddings (paper, III-F)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import keras
import numpy as np
import pandas as pd

from lean_audio.backbones.base import Backbone, load_provenance
from lean_audio.backbones.weights import load_pretrained
from lean_audio.config.schema import Train, Variant
from lean_audio.errors import LeanError
from lean_audio.files import whole
from lean_audio.metrics.average_precision import mean_average_precision
from lean_audio.model import backbone_of, build_head, count_parameters
from lean_audio.training.batches import Examples, ShuffledBatches
from lean_audio.training.scoring import score_clips
from lean_audio.training.strategy import (
    count_replicas,
    fit,
    make_deterministic,
    open_strategy,
    scope,
)

# The loss is a mean over chunks and classes, whose gradients float16 would round to 0. Times the
# classes and the root of the batch, a chunk's lie as far above that as their sums below overflow.
LOSS_SCALE = 8.0


@dataclass(frozen=True)
class TrainingRun:
    """model: with the weights of the best epoch; history: one row an epoch, from 1.

    replicas: on how many devices each batch was shared out; parameters: of the whole network,
    backbone included.
    """

    model: keras.Model
    history: pd.DataFrame
    replicas: int
    parameters: int

    @property
    def best_epoch(self) -> int:
        return int(self.history.loc[self.history["val_mAP"].idxmax(), "epoch"])

    @property
    def facts(self) -> dict[str, Any]:
        """backend: Keras's. Each draws other random numbers, and rounds in its own way."""
        return {
            "best_epoch": self.best_epoch,
            "parameters": self.parameters,
            "replicas": self.replicas,
            "backend": keras.backend.backend(),
        }

    def save_weights(self, path: Path) -> None:
        with whole(path) as temporary:
            self.model.save_weights(temporary)


class BestEpoch(keras.callbacks.Callback):
    """After each epoch, score the validation clips; at the end, go back to the best epoch.

    val_mAP is the PR-AUC over classes (macro) of clip scores: what the evaluation measures.
    val_loss is the cross-entropy of clip scores; the training loss is that of chunks.

    head: gets the weights of each epoch and is what is scored, in float32 on one device: the same
    on every host. It may be the trained model itself.
    """

    def __init__(self, head: keras.Model, examples: Examples, batch_size: int):
        super().__init__()
        self.head, self.examples, self.batch_size = head, examples, batch_size
        self.best_map, self.best_weights = -np.inf, []

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if not np.isfinite(logs["loss"]):
            _diverged(epoch, f"the loss is {logs['loss']}")
        targets = self.examples.chunks.clip_targets
        if (trained := self.model) is not self.head:
            self.head.set_weights(trained.get_weights())
        scores = score_clips(self.head, self.examples, self.batch_size)
        if not np.isfinite(scores).all():
            _diverged(epoch, "scores are not finite")
        val_map = mean_average_precision(targets, scores)
        logs["val_mAP"] = val_map
        logs["val_loss"] = _cross_entropy(targets, scores)
        if val_map > self.best_map:
            self.best_map, self.best_weights = val_map, self.head.get_weights()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.head.set_weights(self.best_weights)


def _diverged(epoch: int, what: str) -> NoReturn:
    raise LeanError(
        f"training diverged: after epoch {epoch + 1} {what}; lower train.learning_rate, or set "
        "train.mixed_precision to false if it is true"
    )


def train(
    variant: Variant,
    training: Examples,
    validation: Examples,
    settings: Train,
    backbone: Backbone,
    pretrained: Path,
    *,
    seed: int,
    score_batch_size: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainingRun:
    """Adam on binary cross-entropy; keeps the epoch with the best validation PR-AUC.

    settings.batch_size is of all devices together. pretrained: folder of the backbone's weights.
    Raises LeanError when no validation clip has a label, when the loss is not finite, or when the
    devices of settings.strategy are not there.
    """
    if not validation.chunks.clip_targets.any():
        raise LeanError("split val: no clip has a label, so no epoch can be called the best")
    strategy = open_strategy(settings.strategy)  # before anything else is computed
    make_deterministic(seed)
    head = build_head(variant, len(training.chunks.vocabulary), backbone)
    parameters = count_parameters(variant, head, load_provenance(pretrained).parameters)
    if variant.backbone == "finetuned":
        backbone_of(head).set_weights(load_pretrained(backbone, pretrained).get_weights())
    batches = ShuffledBatches(training, settings.batch_size, seed, head.input, settings.mixup)
    steps = len(batches) * settings.epochs
    model = trainee(
        head, partial(build_head, variant, backbone=backbone), settings, strategy, steps
    )
    best = BestEpoch(head, validation, score_batch_size)
    logs = fit(strategy, model, batches, settings.epochs, [best, *callbacks])
    return TrainingRun(head, _history(logs), count_replicas(strategy), parameters)


def trainee(
    head: keras.Model,
    build: Callable[[int], keras.Model],
    settings: Train,
    strategy: Any | None,
    steps: int,
) -> keras.Model:
    """What is trained, compiled: the head, or its copy on several devices or in 16 bits.

    build: makes a head for so many classes; steps: of the whole training.
    """
    classes = head.output.shape[-1]
    with scope(strategy), precision(settings.mixed_precision):
        model = head
        if strategy is not None or settings.mixed_precision:
            model = build(classes)
            model.set_weights(head.get_weights())
        scale = LOSS_SCALE * classes * settings.batch_size**0.5
        optimizer = _optimizer(settings, steps, scale if settings.mixed_precision else None)
        loss = keras.losses.BinaryCrossentropy(label_smoothing=settings.label_smoothing)
        model.compile(optimizer, loss, auto_scale_loss=False)
        optimizer.build(model.trainable_variables)  # else TensorFlow traces the first step twice
    return model


def _optimizer(settings: Train, steps: int, loss_scale: float | None) -> keras.Optimizer:
    rate = settings.learning_rate
    if settings.schedule == "cosine":  # from the rate down to 0
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    if settings.weight_decay:
        return keras.optimizers.AdamW(
            rate, weight_decay=settings.weight_decay, loss_scale_factor=loss_scale
        )
    return keras.optimizers.Adam(rate, loss_scale_factor=loss_scale)


@contextmanager
def precision(mixed: bool) -> Iterator[None]:
    """Layers made inside compute in float16 if `mixed`; their weights are float32 either way.

    float16 and not bfloat16: every tensor core has it, and nothing here leaves its range.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16" if mixed else before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _cross_entropy(targets: np.ndarray, scores: np.ndarray) -> float:
    scores = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-np.mean(np.log(np.where(targets, scores, 1 - scores))))


def _history(logs: dict[str, list[float]]) -> pd.DataFrame:
    history = pd.DataFrame(logs)[["loss", "val_loss", "val_mAP"]]
    history.insert(0, "epoch", np.arange(1, len(history) + 1))
    return history
