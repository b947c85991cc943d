"""Train a head in a process of its own, for backend and devices are chosen as a process starts.

The argument is a JSON object: model; batch_size; strategy; mixed_precision; cpus, number of devices
to split the processor into; start, file of the initial weights (without it they are drawn from the
seed); out, file to write.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from splits import VOCABULARY, frozen, store

from lean_audio.backbones.yamnet import BACKBONE
from lean_audio.config.params import load_params
from lean_audio.errors import LeanError
from lean_audio.model import build_head
from lean_audio.training.batches import Examples, ShuffledBatches
from lean_audio.training.fit import train
from lean_audio.training.scoring import score_clips
from lean_audio.training.strategy import fit

LABELS = [("Dog",), ("Bark", "Dog"), (), ("Bark",)] * 6
LENGTHS = [9000, 30000, 20000, 16000] * 6  # 42 chunks
RECIPE = ("batch_size", "mixed_precision")


def split_cpu(cpus: int) -> None:
    import tensorflow as tf

    (processor,) = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration() for _ in range(cpus)]
    tf.config.set_logical_device_configuration(processor, parts)


def train_from_seed(examples: Examples, asked: dict) -> tuple[keras.Model, list[float], int]:
    """As the stage does: the model, the losses of the epochs and which of them is the best."""
    params = load_params()
    changes = {name: asked[name] for name in RECIPE if name in asked}
    recipe = params.train.model_copy(update={"epochs": 3, **changes})
    network = params.model(asked["model"]).network
    weights = frozen(Path(asked["out"]).with_suffix(".backbone"))
    how = {"seed": 1, "strategy": asked.get("strategy", "auto")}
    run = train(network, examples, examples, recipe, BACKBONE, weights, **how)
    return run.model, run.history["loss"].tolist(), run.best_epoch


def train_from_weights(examples: Examples, asked: dict) -> tuple[keras.Model, list[float], int]:
    """A few steps from given weights, as the random numbers of two backends differ."""
    model = build_head(load_params().model(asked["model"]).network, len(VOCABULARY), BACKBONE)
    model.load_weights(asked["start"])
    model.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy")
    model.optimizer.build(model.trainable_variables)  # else TensorFlow traces the step twice
    batches = ShuffledBatches(examples, asked["batch_size"], 1, model.input)
    return model, fit(None, model, batches, 2, [])["loss"], 2


def main(asked: dict) -> dict:
    """Train and return facts about the process."""
    out = Path(asked["out"])
    if "cpus" in asked:
        split_cpu(asked["cpus"])
    examples = store(out.with_suffix(".data"), LENGTHS, LABELS)
    work = train_from_weights if "start" in asked else train_from_seed
    model, losses, best_epoch = work(examples, asked)
    model.save_weights(out.with_suffix(".weights.h5"))
    scores = score_clips(model, examples)
    np.savez(out, losses=losses, best_epoch=best_epoch, scores=scores)
    return {
        "backend": keras.backend.backend(),
        "tensorflow": sys.modules.get("tensorflow") is not None,
        "policy": keras.config.dtype_policy().name,
        "dtypes": sorted({str(weight.dtype) for weight in model.weights}),
    }


if __name__ == "__main__":
    try:
        print(json.dumps(main(json.loads(sys.argv[1]))))
    except LeanError as error:
        sys.exit(f"LeanError: {error}")
