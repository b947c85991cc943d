"""A complete example of another backbone: a small CNN on the log-mel patches that YAMNet takes.

docs/backbones.md explains how to use it. embed.layers may name its layers.
"""

from pathlib import Path

import keras
from keras import layers

from lean_audio.backbones.base import EMBEDDING, Backbone
from lean_audio.backbones.logmel import BANDS, FRAMES, LogMel
from lean_audio.errors import LeanError

FILTERS = {"block_1": 32, "block_2": 64, "block_3": 128}
WEIGHTS = "small.weights.h5"


def build() -> keras.Model:
    """Build the network: log-mel patch (batch, 96, 64) to embedding (batch, 128)."""
    patch = keras.Input((FRAMES, BANDS), name="log_mel")
    x = layers.Reshape((FRAMES, BANDS, 1))(patch)
    for name, filters in FILTERS.items():
        x = layers.Conv2D(filters, 3, strides=2, activation="relu", name=name)(x)
    return keras.Model(patch, layers.GlobalAveragePooling2D()(x), name="small")


def load(model: keras.Model, directory: Path) -> None:
    """Load the weights that `model.save_weights` wrote to small.weights.h5 in a directory."""
    path = directory / WEIGHTS
    try:
        model.load_weights(path)
    except (OSError, ValueError) as error:
        raise LeanError(f"yamnet.source: {path} does not hold this network ({error})") from None


BACKBONE = Backbone(
    name="small",
    units=FILTERS | {EMBEDDING: 128},
    front_end=lambda mean_normalization: LogMel(mean_normalization, name="log_mel"),
    build=build,
    load=load,
)
