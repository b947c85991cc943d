"""What happens after each step and epoch of a training: scoring, choosing the best, progress."""

from typing import NoReturn

import keras
import numpy as np

from lean_audio.errors import LeanError
from lean_audio.metrics.average_precision import mean_average_precision
from lean_audio.screen import progress
from lean_audio.training.batches import Examples
from lean_audio.training.scoring import score_clips


class BestEpoch(keras.callbacks.Callback):
    """After each epoch, score the validation clips; at the end, restore the best epoch's weights.

    val_mAP is the macro PR-AUC of clip scores, which the evaluation measures; val_loss is the
    cross-entropy of clip scores, while the training loss is that of chunks.

    head: receives the weights of each epoch and is scored in float32 on one device, so that every
    host computes the same. It may be the trained model itself.
    """

    def __init__(self, head: keras.Model, examples: Examples):
        super().__init__()
        self.head, self.examples = head, examples
        self.best_map, self.best_weights = -np.inf, []

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if not np.isfinite(logs["loss"]):
            _diverged(epoch, f"the loss is {logs['loss']}")
        targets = self.examples.chunks.clip_targets
        if (trained := self.model) is not self.head:
            self.head.set_weights(trained.get_weights())
        scores = score_clips(self.head, self.examples)
        if not np.isfinite(scores).all():
            _diverged(epoch, "scores are not finite")
        val_map = mean_average_precision(targets, scores)
        logs["val_mAP"] = val_map
        logs["val_loss"] = _cross_entropy(targets, scores)
        if val_map > self.best_map:
            self.best_map, self.best_weights = val_map, self.head.get_weights()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.head.set_weights(self.best_weights)


class ProgressBar(keras.callbacks.Callback):
    """Shows the steps of a training as one bar, with what the last epoch brought."""

    def __init__(self, title: str):
        super().__init__()
        self.title = title

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.bar = progress(None, self.title, self.params["epochs"] * self.params["steps"])

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.before = epoch * self.params["steps"]

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.bar.update(self.before + batch + 1 - self.bar.n)  # several steps may end at once

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.bar.set_postfix(epoch=epoch + 1, val_mAP=f"{logs['val_mAP']:.4f}", refresh=False)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.bar.close()


def _diverged(epoch: int, what: str) -> NoReturn:
    raise LeanError(
        f"training diverged: after epoch {epoch + 1} {what}; lower train.learning_rate, or set "
        "train.mixed_precision to false if it is true"
    )


def _cross_entropy(targets: np.ndarray, scores: np.ndarray) -> float:
    scores = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-np.mean(np.log(np.where(targets, scores, 1 - scores))))
