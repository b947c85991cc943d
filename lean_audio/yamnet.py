"""YAMNet: found through TF-Hub, rebuilt as a Keras model from the SavedModel's variables."""

import hashlib
import socket
import sys
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

from lean_audio.errors import LeanError
from lean_audio.files import read_json, whole, write_json
from lean_audio.logmel import BANDS, FRAMES
from lean_audio.params import Yamnet

EMBEDDING_UNITS = 1024
# filters and stride of the 13 depthwise-separable blocks (MobileNet v1)
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *(((512, 1),) * 5),
    *((1024, 2), (1024, 1)),
)
_CONVOLUTION = {"padding": "same", "use_bias": False}
WEIGHTS_FILE, PROVENANCE_FILE = "backbone.weights.h5", "yamnet.json"


@dataclass(frozen=True)
class Provenance:
    """Where the weights came from.

    source: hub | path | untrained; handle: URL, directory name, or seed; savedmodel_sha256: of
    the SavedModel's files (None for untrained); weights_sha256: of the rebuilt model's weights.
    """

    source: str
    handle: str
    trained: bool
    savedmodel_sha256: str | None
    weights_sha256: str


def build_yamnet() -> keras.Model:
    """(batch, 96, 64) log-mel patch to (batch, 1024) embedding; 3,217,344 parameters."""
    patch = keras.Input((FRAMES, BANDS), name="log_mel")
    x = layers.Reshape((FRAMES, BANDS, 1), name="channel")(patch)
    x = _normalised(layers.Conv2D(32, 3, strides=2, **_CONVOLUTION, name="stem")(x), "stem")
    for number, (filters, stride) in enumerate(BLOCKS, 1):  # ends at (batch, 3, 2, 1024)
        depthwise, pointwise = f"depthwise_{number}", f"pointwise_{number}"
        x = layers.DepthwiseConv2D(3, strides=stride, **_CONVOLUTION, name=depthwise)(x)
        x = _normalised(x, depthwise)
        x = _normalised(layers.Conv2D(filters, 1, **_CONVOLUTION, name=pointwise)(x), pointwise)
    embedding = layers.GlobalAveragePooling2D(name="embedding")(x)
    return keras.Model(patch, embedding, name="yamnet")


def _normalised(x, name: str):
    x = layers.BatchNormalization(scale=False, epsilon=1e-4, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def obtain(settings: Yamnet, *, synthetic: bool, folder: Path) -> Provenance:
    """Write the backbone's weights and provenance to `folder`.

    Untrained weights are for synthetic data, or when they are asked for by name.
    Raises LeanError when the source cannot be had.
    """
    model = build_yamnet()
    found = _find_savedmodel(settings, synthetic)
    if found is None:
        _fill_untrained(model, settings.seed)
    else:
        load_savedmodel(model, found)
    with whole(folder / WEIGHTS_FILE) as temporary:
        model.save_weights(temporary)
    provenance = Provenance(
        *_origin(settings, found), weights_sha256=_sha256(folder / WEIGHTS_FILE)
    )
    write_json(folder / PROVENANCE_FILE, asdict(provenance))
    return provenance


def load_yamnet(folder: Path) -> keras.Model:
    """The model that `obtain` left in `folder`."""
    model = build_yamnet()
    model.load_weights(folder / WEIGHTS_FILE)
    return model


def load_provenance(folder: Path) -> Provenance:
    return Provenance(**read_json(folder / PROVENANCE_FILE))


def load_savedmodel(model: keras.Model, savedmodel: Path) -> None:
    """Fill `model` from the variables of YAMNet's SavedModel; LeanError if they do not fit."""
    import tensorflow as tf

    try:
        checkpoint = tf.train.load_checkpoint(str(savedmodel / "variables" / "variables"))
        for number, layer in enumerate(_layers_with_weights(model)):
            keys = [f"_yamnet/layer_with_weights-{number}/{name}" for name in _names(layer)]
            layer.set_weights(
                [checkpoint.get_tensor(f"{key}/.ATTRIBUTES/VARIABLE_VALUE") for key in keys]
            )
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise LeanError(
            f"yamnet.source: {savedmodel} is not YAMNet's SavedModel ({reason})"
        ) from None


def _layers_with_weights(model: keras.Model) -> list[keras.Layer]:
    return [layer for layer in model.layers if layer.weights]


def _names(layer: keras.Layer) -> list[str]:
    if isinstance(layer, layers.BatchNormalization):
        return ["beta", "moving_mean", "moving_variance"]
    return ["depthwise_kernel" if isinstance(layer, layers.DepthwiseConv2D) else "kernel"]


def _find_savedmodel(settings: Yamnet, synthetic: bool) -> Path | None:
    """The SavedModel's directory; None stands for untrained weights."""
    if settings.source == "untrained":
        return None
    if settings.source not in ("auto", "hub"):
        return _local_savedmodel(Path(settings.source))
    try:
        return _resolve_hub(settings.hub_url, settings.timeout_s)
    except (OSError, ValueError, RuntimeError) as error:
        if settings.source == "auto" and synthetic:
            print(f"TF-Hub cannot be reached: untrained weights ({error})", file=sys.stderr)
            return None
        raise LeanError(
            f"yamnet.source: {settings.source!r} could not fetch {settings.hub_url} ({error}); "
            "set yamnet.source to the directory of a downloaded YAMNet SavedModel"
        ) from None


def _local_savedmodel(path: Path) -> Path:
    if not (path / "saved_model.pb").is_file():
        raise LeanError(
            f"yamnet.source: {str(path)!r} holds no saved_model.pb; "
            "allowed are auto, hub, untrained or the directory of a SavedModel"
        )
    return path


def _resolve_hub(url: str, timeout_s: float) -> Path:
    """Download (or find in TF-Hub's own cache) and return the SavedModel's directory."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "pkg_resources is deprecated")
        import tensorflow_hub as hub

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout_s)
    try:
        return Path(hub.resolve(url))
    finally:
        socket.setdefaulttimeout(before)


def _fill_untrained(model: keras.Model, seed: int) -> None:
    """He-normal kernels from one seeded stream; batch norm stays the identity."""
    rng = np.random.default_rng(seed)
    for layer in _layers_with_weights(model):
        if not isinstance(layer, layers.BatchNormalization):
            (kernel,) = layer.get_weights()
            fan_in = np.prod(kernel.shape[: 2 if "depthwise" in layer.name else 3])
            scale = np.sqrt(2.0 / fan_in)
            layer.set_weights([rng.normal(0.0, scale, kernel.shape).astype(np.float32)])


def _origin(settings: Yamnet, found: Path | None) -> tuple[str, str, bool, str | None]:
    if found is None:
        return "untrained", f"seed {settings.seed}", False, None
    if settings.source in ("auto", "hub"):
        return "hub", settings.hub_url, True, _sha256_of_tree(found)
    return "path", found.resolve().name, True, _sha256_of_tree(found)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256_of_tree(savedmodel: Path) -> str:
    """Of the graph and the variables, whatever else lies in the directory."""
    files = [savedmodel / "saved_model.pb", *sorted((savedmodel / "variables").glob("*"))]
    hashes = "".join(f"{_sha256(path)}  {path.relative_to(savedmodel)}\n" for path in files)
    return hashlib.sha256(hashes.encode()).hexdigest()
