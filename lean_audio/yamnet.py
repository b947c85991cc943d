"""YAMNet: found through TF-Hub, rebuilt as a Keras model from the SavedModel's variables."""

import hashlib
import socket
import sys
import warnings
from concurrent.futures import Future
from dataclasses import asdict
from http.client import HTTPException
from pathlib import Path
from threading import Thread

import keras
import numpy as np
from keras import layers

from lean_audio.backbone import PROVENANCE_FILE, WEIGHTS_FILE, Provenance
from lean_audio.errors import LeanError
from lean_audio.files import sha256, whole, write_json
from lean_audio.logmel import BANDS, FRAMES
from lean_audio.sections import Yamnet

# filters and stride of the 13 depthwise-separable blocks (MobileNet v1)
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *(((512, 1),) * 5),
    *((1024, 2), (1024, 1)),
)
_CONVOLUTION = {"padding": "same", "use_bias": False}


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
    provenance = Provenance(*_origin(settings, found), weights_sha256=sha256(folder / WEIGHTS_FILE))
    write_json(folder / PROVENANCE_FILE, asdict(provenance))
    return provenance


def load_yamnet(folder: Path) -> keras.Model:
    """The model that `obtain` left in `folder`."""
    model = build_yamnet()
    model.load_weights(folder / WEIGHTS_FILE)
    return model


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
        return _resolve_hub(settings)
    except (OSError, ValueError, RuntimeError, HTTPException) as error:
        if settings.source == "auto" and synthetic:
            print(
                f"TF-Hub cannot be reached ({error}): untrained weights. "
                "When it can, `dvc repro --force yamnet` fetches the trained ones.",
                file=sys.stderr,
            )
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


def _resolve_hub(settings: Yamnet) -> Path:
    """Download (or find in TF-Hub's own cache) and return the SavedModel's directory.

    In a thread of its own, for TF-Hub may wait for another process's unfinished download.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "pkg_resources is deprecated")
        import tensorflow_hub as hub

    future: Future[str] = Future()

    def fetch() -> None:
        try:
            future.set_result(hub.resolve(settings.hub_url))
        except Exception as error:  # handed to whoever waits, whatever it is
            future.set_exception(error)

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(settings.silence_s)
    try:
        Thread(target=fetch, daemon=True).start()
        return Path(future.result(timeout=settings.deadline_s))
    except TimeoutError:
        raise OSError(f"no answer within {settings.deadline_s} s") from None
    finally:
        socket.setdefaulttimeout(before)


def _fill_untrained(model: keras.Model, seed: int) -> None:
    """He-normal kernels from one seeded stream; batch norm centred on what noise patches excite.

    Without the latter the embeddings of any two chunks point the same way (cosine .99).
    """
    rng = np.random.default_rng(seed)
    for layer in _layers_with_weights(model):
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0  # the next training pass sets the statistics outright
        else:
            (kernel,) = layer.get_weights()
            depthwise = isinstance(layer, layers.DepthwiseConv2D)
            scale = np.sqrt(2.0 / np.prod(kernel.shape[: 2 if depthwise else 3]))
            layer.set_weights([rng.normal(0.0, scale, kernel.shape).astype(np.float32)])
    model(rng.normal(-2.0, 2.0, (64, FRAMES, BANDS)).astype(np.float32), training=True)


def _origin(settings: Yamnet, found: Path | None) -> tuple[str, str, bool, str | None]:
    if found is None:
        return "untrained", f"seed {settings.seed}", False, None
    if settings.source in ("auto", "hub"):
        return "hub", settings.hub_url, True, _sha256_of_tree(found)
    return "path", found.resolve().name, True, _sha256_of_tree(found)


def _sha256_of_tree(savedmodel: Path) -> str:
    """Of the graph and the variables, whatever else lies in the directory."""
    files = [savedmodel / "saved_model.pb", *sorted((savedmodel / "variables").glob("*"))]
    hashes = "".join(f"{sha256(path)}  {path.relative_to(savedmodel)}\n" for path in files)
    return hashlib.sha256(hashes.encode()).hexdigest()
