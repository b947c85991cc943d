"""What the pipeline must know of a pretrained network, and what it knows without loading Keras.

YAMNet is the one of the paper; another takes its place by a file that defines BACKBONE, a
Backbone, and whose path is `backbone` in params.yaml (docs/backbones.md).
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

EMBEDDING = "embedding"  # of the features, the one that every backbone has
WEIGHTS_FILE, PROVENANCE_FILE = "backbone.weights.h5", "yamnet.json"
EMBEDDER_FILE = "embedder.tflite"  # a chunk's waveform to its features, one after the other
FEATURES_FILE = "features.json"  # their names and widths, in this order
MAXIMUM = "_max"  # ends the feature that is a layer's maximum; its average has the layer's name


@dataclass(frozen=True)
class Backbone:
    """A network that turns one chunk into an embedding.

    units: width of the embedding and of each Keras layer whose activations can be pooled.
    front_end: makes the layer from (batch, 16000) waveforms to patches; in BACKBONE itself it takes
    embed.mean_normalization, which load_backbone fills in.
    build: to the model from (batch, *patch) to (batch, units["embedding"]).
    load: (model, directory) fills the model; raises LeanError when the directory does not fit.
    """

    name: str
    units: Mapping[str, int]
    front_end: Callable[..., "keras.Layer"]
    build: Callable[[], "keras.Model"]
    load: Callable[["keras.Model", Path], None]

    def width(self, feature: str) -> int:
        """Of the embedding, or of what with_layers makes of a layer."""
        return self.units[layer_of(feature)]

    def require(self, features: tuple[str, ...]) -> None:
        """Raises LeanError for a layer that the network does not have."""
        for feature in features:
            if (layer := layer_of(feature)) not in self.units or layer == EMBEDDING:
                known = ", ".join(name for name in self.units if name != EMBEDDING)
                raise LeanError(
                    f"embed.layers: {feature!r} is not a layer of {self.name} ({known}), nor one "
                    f"with {MAXIMUM} at its end"
                )


def layer_of(feature: str) -> str:
    """The layer whose average or maximum a feature is."""
    return feature.removesuffix(MAXIMUM)


def load_backbone(path: Path, mean_normalization: bool) -> Backbone:
    """BACKBONE of a Python file below the project's root; LeanError where there is none."""
    found: Any = None
    name = ".".join(path.with_suffix("").parts)
    try:
        if path.suffix == ".py" and not path.is_absolute() and ".." not in path.parts:
            found = getattr(import_module(name), "BACKBONE", None)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise  # of what the file itself imports
    if not isinstance(found, Backbone):
        raise LeanError(
            f"backbone: {path} is not a Python file below this directory that defines BACKBONE"
        )
    return replace(found, front_end=partial(found.front_end, mean_normalization))


@dataclass(frozen=True)
class Provenance:
    """Where the weights came from.

    source: hub | path | untrained; handle: URL, directory name, or seed; savedmodel_sha256: of
    the SavedModel's files (None for untrained); weights_sha256: of the rebuilt model's weights;
    parameters: how many these are, batch-norm statistics included.
    """

    source: str
    handle: str
    trained: bool
    savedmodel_sha256: str | None
    weights_sha256: str
    parameters: int


def load_provenance(folder: Path) -> Provenance:
    return Provenance(**read_json(folder / PROVENANCE_FILE))
