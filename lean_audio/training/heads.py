"""A trained head on disk: its weights, and the network they belong to."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lean_audio.backbones.base import Backbone
from lean_audio.config.paths import HEAD_WEIGHTS
from lean_audio.config.schema import Network
from lean_audio.files import atomic_file, read_json, write_json

if TYPE_CHECKING:  # stages that only read the name of a model do without Keras
    import keras

NETWORK_FILE = "network.json"


@dataclass(frozen=True)
class Head:
    """A trained head; model and seed name the training it comes from."""

    model: str
    seed: int
    network: Network
    weights: Path

    def open(self, classes: int, backbone: Backbone) -> "keras.Model":
        """Build the head with its trained weights."""
        from lean_audio.model import build_head

        head = build_head(self.network, classes, backbone)
        head.load_weights(self.weights)
        return head


def save_head(
    folder: Path, model: str, seed: int, network: Network, trained: "keras.Model"
) -> None:
    """Write a head's weights and network to `folder`."""
    with atomic_file(folder / HEAD_WEIGHTS) as temporary:
        trained.save_weights(temporary)
    about = {"model": model, "seed": seed, "network": network.model_dump(exclude_defaults=True)}
    write_json(folder / NETWORK_FILE, json.loads(json.dumps(about)))


def read_head(folder: Path) -> Head:
    """Read what `save_head` wrote, without loading the weights."""
    about = read_json(folder / NETWORK_FILE)
    network = Network.model_validate(about["network"])
    return Head(about["model"], about["seed"], network, folder / HEAD_WEIGHTS)
