"""Train one model on cached features (paper, III-F)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from lean_audio.backbones.base import Backbone, load_provenance
from lean_audio.backbones.weights import load_pretrained
from lean_audio.config.schema import Network, StrategyName, Train
from lean_audio.errors import LeanError
from lean_audio.files import write_csv, write_json
from lean_audio.metrics.rounding import rounded
from lean_audio.model import backbone_of, build_head, count_parameters
from lean_audio.training.batches import Examples, ShuffledBatches
from lean_audio.training.callbacks import BestEpoch
from lean_audio.training.strategy import (
    count_replicas,
    fit,
    make_deterministic,
    open_strategy,
    scope,
)

# The loss is a mean over chunks and classes; in float16 its gradients would round to 0. Scaled by
# the classes and the square root of the batch size they are as far from that as from overflow.
LOSS_SCALE = 8.0
# A step of a head on cached features is so short that returning to Python takes a quarter of it.
# Under JAX every one of these steps would be compiled.
STEPS_AT_ONCE = {"tensorflow": 8}


@dataclass(frozen=True)
class TrainingRun:
    """A finished training.

    model: with the weights of the best epoch; history: one row per epoch, counted from 1; replicas:
    number of devices that each batch was split over; parameters: of the whole network, backbone
    included.
    """

    model: keras.Model
    history: pd.DataFrame
    replicas: int
    parameters: int

    @property
    def best_epoch(self) -> int:
        return int(self.history.loc[self.history["val_mAP"].idxmax(), "epoch"])

    @property
    def best_map(self) -> float:
        return float(self.history["val_mAP"].max())

    @property
    def result(self) -> str:
        """Say how it went."""
        epochs = len(self.history)
        return f"validation mAP {self.best_map:.4f}, best in epoch {self.best_epoch} of {epochs}"

    def save(self, record: Path, about: dict[str, Any]) -> str:
        """Write history.csv and training.json; return the result in words.

        about: what this training is of, and its recipe.
        """
        write_csv(record / "history.csv", rounded(self.history))
        write_json(record / "training.json", about | self.facts)
        return self.result

    @property
    def facts(self) -> dict[str, Any]:
        """What the record of the training says of it.

        backend: Keras's, as backends draw different random numbers and round differently.
        """
        return {
            "best_epoch": self.best_epoch,
            "val_mAP": rounded(self.best_map),
            "parameters": self.parameters,
            "replicas": self.replicas,
            "backend": keras.backend.backend(),
        }


def train(
    network: Network,
    training: Examples,
    validation: Examples,
    recipe: Train,
    backbone: Backbone,
    weights: Path,
    *,
    seed: int,
    strategy: StrategyName = "auto",
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainingRun:
    """Train with Adam on binary cross-entropy; keep the epoch with the best validation PR-AUC.

    Parameters
    ----------
    network
        The layers of the model.
    training, validation
        Splits to train on and to choose the best epoch by.
    recipe
        Epochs, rates and so on; batch_size is that of all devices together.
    backbone
        The network below the head.
    weights
        Directory of its pretrained weights and their provenance.
    seed
        Of initial weights, batch order, dropout and mixup.
    strategy
        Devices to train on.
    callbacks
        Called after each epoch, with its val_mAP and val_loss among the logs.

    Raises
    ------
    LeanError
        If no validation clip has a label, the loss is not finite, or the devices of `strategy`
        do not exist.
    """
    if not validation.chunks.clip_targets.any():
        raise LeanError("split val has no labelled clip; cannot select the best epoch")
    if network.backbone == "frozen":
        training, validation = training.in_memory(), validation.in_memory()
    devices = open_strategy(strategy)  # before anything else is computed
    make_deterministic(seed)
    head = build_head(network, len(training.chunks.vocabulary), backbone)
    parameters = count_parameters(network, head, load_provenance(weights).parameters)
    if network.backbone == "finetuned":
        backbone_of(head).set_weights(load_pretrained(backbone, weights).get_weights())
    batches = ShuffledBatches(training, recipe.batch_size, seed, head.input, recipe.mixup)
    steps = len(batches) * recipe.epochs
    build = partial(build_head, network, backbone=backbone)
    model = compiled_model(head, build, recipe, devices, steps)
    best = BestEpoch(head, validation)
    logs = fit(devices, model, batches, recipe.epochs, [best, *callbacks])
    return TrainingRun(head, _history(logs), count_replicas(devices), parameters)


def compiled_model(
    head: keras.Model,
    build: Callable[[int], keras.Model],
    recipe: Train,
    strategy: Any | None,
    steps: int,
) -> keras.Model:
    """Compile the model to train: the head, or its copy on several devices or in 16 bits.

    build: builds a head for a number of classes; steps: of the whole training.
    """
    classes = head.output.shape[-1]
    with scope(strategy), precision(recipe.mixed_precision):
        model = head
        if strategy is not None or recipe.mixed_precision:
            model = build(classes)
            model.set_weights(head.get_weights())
        scale = LOSS_SCALE * classes * recipe.batch_size**0.5
        optimizer = _optimizer(recipe, steps, scale if recipe.mixed_precision else None)
        loss = keras.losses.BinaryCrossentropy(label_smoothing=recipe.label_smoothing)
        at_once = STEPS_AT_ONCE.get(keras.backend.backend(), 1)
        model.compile(optimizer, loss, auto_scale_loss=False, steps_per_execution=at_once)
        optimizer.build(model.trainable_variables)  # else TensorFlow traces the first step twice
    return model


def _optimizer(recipe: Train, steps: int, loss_scale: float | None) -> keras.Optimizer:
    rate = recipe.learning_rate
    if recipe.schedule == "cosine":  # from the rate down to 0
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    if recipe.weight_decay:
        return keras.optimizers.AdamW(
            rate, weight_decay=recipe.weight_decay, loss_scale_factor=loss_scale
        )
    return keras.optimizers.Adam(rate, loss_scale_factor=loss_scale)


@contextmanager
def precision(mixed: bool) -> Iterator[None]:
    """Let layers built inside compute in float16 if `mixed`; their weights stay float32.

    float16 rather than bfloat16: every tensor core has it, and nothing here leaves its range.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16" if mixed else before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _history(logs: dict[str, list[float]]) -> pd.DataFrame:
    history = pd.DataFrame(logs)[["loss", "val_loss", "val_mAP"]]
    history.insert(0, "epoch", np.arange(1, len(history) + 1))
    return history
