"""Train a head in a process of its own, for backend and devices are chosen as a process starts.

The argument is a JSON object: variant; batch_size; strategy; mixed_precision; cpus, to be split
off the processor; start, weights to begin with (none: those of the seed); out, a file for what
comes out.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from splits import frozen, store

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


def split_cpu(cpus: int) -> None:
    import tensorflow as tf

    (processor,) = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration() for _ in range(cpus)]
    tf.config.set_logical_device_configuration(processor, parts)


def train_from_seed(examples: Examples, asked: dict) -> tuple[keras.Model, list[float], int]:
    """As the stage does: the model, the losses of the epochs and which of them is the best."""
    params = load_params()
    settings = params.train.model_copy(
        update={
            "epochs": 3,
            "batch_size": asked["batch_size"],
            "strategy": asked.get("strategy", "auto"),
            "mixed_precision": asked.get("mixed_precision", False),
        }
    )
    variant = params.variants[asked["variant"]]
    sizes = {"seed": 1, "score_batch_size": asked["batch_size"]}
    pretrained = frozen(Path(asked["out"]).with_suffix(".backbone"))
    run = train(variant, examples, examples, settings, BACKBONE, pretrained, **sizes)
    return run.model, run.history["loss"].tolist(), run.best_epoch


def train_from_weights(examples: Examples, asked: dict) -> tuple[keras.Model, list[float], int]:
    """A few steps from given weights, as the random numbers of two backends differ."""
    model = build_head(load_params().variants[asked["variant"]], 2, BACKBONE)
    model.load_weights(asked["start"])
    model.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy")
    model.optimizer.build(model.trainable_variables)  # else TensorFlow traces the step twice
    batches = ShuffledBatches(examples, asked["batch_size"], 1, model.input)
    return model, fit(None, model, batches, 2, [])["loss"], 2


def main(asked: dict) -> None:
    out = Path(asked["out"])
    if "cpus" in asked:
        split_cpu(asked["cpus"])
    examples = store(out.with_suffix(".data"), LENGTHS, LABELS)
    work = train_from_weights if "start" in asked else train_from_seed
    model, losses, best_epoch = work(examples, asked)
    model.save_weights(out.with_suffix(".weights.h5"))
    scores = score_clips(model, examples, asked["batch_size"])
    np.savez(out, losses=losses, best_epoch=best_epoch, scores=scores)
    facts = {
        "backend": keras.backend.backend(),
        "tensorflow": sys.modules.get("tensorflow") is not None,
        "policy": keras.config.dtype_policy().name,
        "dtypes": sorted({str(weight.dtype) for weight in model.weights}),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except LeanError as error:
        sys.exit(f"LeanError: {error}")
