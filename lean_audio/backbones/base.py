"""The interface of a pretrained network, importable without Keras.

The paper uses YAMNet. Another network is a Python file that defines BACKBONE, a Backbone, and whose
path is `backbone` in params.yaml (docs/backbones.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lean_audio.errors import LeanError
from lean_audio.files import read_json

if TYPE_CHECKING:
    import keras

EMBEDDING = "embedding"  # the feature that every backbone has
WEIGHTS_FILE, PROVENANCE_FILE = "backbone.weights.h5", "provenance.json"
EMBEDDER_FILE = "embedder.tflite"  # from a chunk's waveform to its features, concatenated
FEATURES_FILE = "features.json"  # the features' names and widths, in order; hash of the weights
MAXIMUM = "_max"  # suffix of a layer's maximum as a feature; its mean has the layer's own name


@dataclass(frozen=True)
class Backbone:
    """A pretrained network that turns one chunk into an embedding.

    Attributes
    ----------
    name
        For messages.
    units
        Width of the embedding and of each Keras layer whose activations can be pooled, by name.
    front_end
        Builds the layer from waveforms (batch, 16000) to patches (batch, *patch). In BACKBONE it
        takes embed.mean_normalization as its argument; load_backbone fills that in.
    build
        Builds the model from patches to embeddings (batch, units["embedding"]).
    load
        Loads pretrained weights from a directory into that model. Raises LeanError if they do not
        fit.
    """

    name: str
    units: Mapping[str, int]
    front_end: Callable[..., "keras.Layer"]
    build: Callable[[], "keras.Model"]
    load: Callable[["keras.Model", Path], None]

    def width(self, feature: str) -> int:
        """Return the width of a feature: the embedding or a pooled layer."""
        return self.units[layer_of(feature)]

    def require(self, features: tuple[str, ...]) -> None:
        """Raise LeanError if a feature is not a pooled layer of this network."""
        for feature in features:
            if (layer := layer_of(feature)) not in self.units or layer == EMBEDDING:
                known = ", ".join(name for name in self.units if name != EMBEDDING)
                raise LeanError(
                    f"embed.layers: {feature!r} is not a layer of {self.name} ({known}), nor one "
                    f"with {MAXIMUM} at its end"
                )


def layer_of(feature: str) -> str:
    """Return the name of the layer that a feature pools."""
    return feature.removesuffix(MAXIMUM)


def load_backbone(path: Path, mean_normalization: bool) -> Backbone:
    """Import BACKBONE from a Python file below the project's root.

    Parameters
    ----------
    path
        The file, relative to the project's root.
    mean_normalization
        Whether the front end subtracts each mel band's mean.

    Raises
    ------
    LeanError
        If there is no such file, or it does not define BACKBONE.
    """
    found: Any = None
    name = ".".join(path.with_suffix("").parts)
    try:
        if path.suffix == ".py" and not path.is_absolute() and ".." not in path.parts:
            found = getattr(import_module(name), "BACKBONE", None)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise  # a module that the file itself imports is missing
    if not isinstance(found, Backbone):
        raise LeanError(
            f"backbone: {path} is not a Python file below this directory that defines BACKBONE"
        )
    return replace(found, front_end=partial(found.front_end, mean_normalization))


@dataclass(frozen=True)
class Provenance:
    """Where a backbone's weights came from.

    Attributes
    ----------
    source
        hub, path or untrained.
    handle
        URL, name of the directory, or seed.
    trained
        False for random weights.
    savedmodel_sha256
        Hash of the source's files; None for untrained weights.
    weights_sha256
        Hash of the weights file of the rebuilt Keras model.
    parameters
        Number of weights, batch-norm statistics included.
    """

    source: str
    handle: str
    trained: bool
    savedmodel_sha256: str | None
    weights_sha256: str
    parameters: int


def load_provenance(folder: Path) -> Provenance:
    """Read the provenance of the weights in a directory that `prepare_weights` wrote."""
    return Provenance(**read_json(folder / PROVENANCE_FILE))
