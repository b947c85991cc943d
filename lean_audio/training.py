"""Train one variant on cached embeddings (paper, III-F)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from lean_audio.batches import Examples, ShuffledBatches
from lean_audio.errors import LeanError
from lean_audio.files import whole
from lean_audio.metrics import mean_average_precision
from lean_audio.model import build_head
from lean_audio.scoring import hears_waveform, score_clips
from lean_audio.sections import Train, Variant


@dataclass(frozen=True)
class TrainingRun:
    """model: with the weights of the best epoch; history: one row an epoch, from 1."""

    model: keras.Model
    history: pd.DataFrame

    @property
    def best_epoch(self) -> int:
        return int(self.history.loc[self.history["val_mAP"].idxmax(), "epoch"])

    def save_weights(self, path: Path) -> None:
        with whole(path) as temporary:
            self.model.save_weights(temporary)


class BestEpoch(keras.callbacks.Callback):
    """After each epoch, score the validation clips; at the end, go back to the best epoch.

    val_mAP is the PR-AUC over classes (macro) of clip scores: what the evaluation measures.
    val_loss is the cross-entropy of clip scores; the training loss is that of chunks.
    """

    def __init__(self, examples: Examples, batch_size: int):
        super().__init__()
        self.examples, self.batch_size = examples, batch_size
        self.best_map, self.best_weights = -np.inf, []

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if not np.isfinite(logs["loss"]):
            raise LeanError(
                f"training diverged: the loss of epoch {epoch + 1} is {logs['loss']}; "
                "lower train.learning_rate"
            )
        targets = self.examples.chunks.clip_targets
        scores = score_clips(self.model, self.examples, self.batch_size)
        val_map = mean_average_precision(targets, scores)
        logs["val_mAP"] = val_map
        logs["val_loss"] = _cross_entropy(targets, scores)
        if val_map > self.best_map:
            self.best_map, self.best_weights = val_map, self.model.get_weights()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.model.set_weights(self.best_weights)


def train(
    variant: Variant,
    training: Examples,
    validation: Examples,
    settings: Train,
    *,
    seed: int,
    score_batch_size: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainingRun:
    """Adam on binary cross-entropy; keeps the epoch with the best validation PR-AUC.

    Raises LeanError when no validation clip has a label, or when the loss is not finite.
    """
    if not validation.chunks.clip_targets.any():
        raise LeanError("split val: no clip has a label, so no epoch can be called the best")
    make_deterministic(seed)
    model = build_head(variant, len(training.chunks.vocabulary))
    model.compile(keras.optimizers.Adam(settings.learning_rate), "binary_crossentropy")
    batches = ShuffledBatches(training, settings.batch_size, seed, waveform=hears_waveform(model))
    best = BestEpoch(validation, score_batch_size)
    fit = model.fit(
        batches,
        epochs=settings.epochs,
        shuffle=False,
        verbose=2,
        callbacks=[best, *callbacks],
    )
    return TrainingRun(model, _history(fit.history))


def make_deterministic(seed: int) -> None:
    """Seed every generator and, under TensorFlow, choose the kernels that repeat themselves.

    Also forgets the models built before, whose number would show in the names in a weights file.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _cross_entropy(targets: np.ndarray, scores: np.ndarray) -> float:
    scores = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-np.mean(np.log(np.where(targets, scores, 1 - scores))))


def _history(logs: dict[str, list[float]]) -> pd.DataFrame:
    history = pd.DataFrame(logs)[["loss", "val_loss", "val_mAP"]]
    history.insert(0, "epoch", np.arange(1, len(history) + 1))
    return history
