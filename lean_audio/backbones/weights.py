"""A backbone's pretrained weights, from TF-Hub or a directory, kept with where they came from."""

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

from lean_audio.backbones.base import PROVENANCE_FILE, WEIGHTS_FILE, Backbone, Provenance
from lean_audio.config.schema import Yamnet
from lean_audio.errors import LeanError
from lean_audio.files import sha256, whole, write_json


def obtain(backbone: Backbone, settings: Yamnet, *, synthetic: bool, folder: Path) -> Provenance:
    """Write the backbone's weights and provenance to `folder`.

    Untrained weights are for synthetic data, or when they are asked for by name.
    Raises LeanError when the source cannot be had.
    """
    model = backbone.build()
    found = _find_directory(settings, synthetic)
    if found is None:
        _fill_untrained(model, settings.seed)
    else:
        backbone.load(model, found)
    with whole(folder / WEIGHTS_FILE) as temporary:
        model.save_weights(temporary)
    weights = sha256(folder / WEIGHTS_FILE)
    provenance = Provenance(*_origin(settings, found), weights, model.count_params())
    write_json(folder / PROVENANCE_FILE, asdict(provenance))
    return provenance


def load_pretrained(backbone: Backbone, folder: Path) -> keras.Model:
    """The model that `obtain` left in `folder`."""
    model = backbone.build()
    model.load_weights(folder / WEIGHTS_FILE)
    return model


def _find_directory(settings: Yamnet, synthetic: bool) -> Path | None:
    """Where the weights lie; None stands for untrained ones."""
    if settings.source == "untrained":
        return None
    if settings.source not in ("auto", "hub"):
        return _local_directory(Path(settings.source))
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


def _local_directory(path: Path) -> Path:
    if not path.is_dir():
        raise LeanError(
            f"yamnet.source: {str(path)!r} is not a directory; "
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
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0  # the next training pass sets the statistics outright
        elif layer.weights:
            depthwise = isinstance(layer, layers.DepthwiseConv2D)
            layer.set_weights([_untrained(w.shape, rng, depthwise) for w in layer.weights])
    model(rng.normal(-2.0, 2.0, (64, *model.input.shape[1:])).astype(np.float32), training=True)


def _untrained(shape: tuple[int, ...], rng: np.random.Generator, depthwise: bool) -> np.ndarray:
    """One layer's kernel or, of one dimension, its bias."""
    if len(shape) == 1:
        return np.zeros(shape, np.float32)
    inputs = np.prod(shape[: 2 if depthwise else -1])
    return rng.normal(0.0, np.sqrt(2.0 / inputs), shape).astype(np.float32)


def _origin(settings: Yamnet, found: Path | None) -> tuple[str, str, bool, str | None]:
    if found is None:
        return "untrained", f"seed {settings.seed}", False, None
    if settings.source in ("auto", "hub"):
        return "hub", settings.hub_url, True, _sha256_of_tree(found)
    return "path", found.resolve().name, True, _sha256_of_tree(found)


def _sha256_of_tree(directory: Path) -> str:
    """Of a SavedModel's graph and variables, whatever else lies there; else of every file."""
    graph, variables = directory / "saved_model.pb", directory / "variables"
    files = [graph, *variables.glob("*")] if graph.is_file() else directory.rglob("*")
    hashes = "".join(
        f"{sha256(path)}  {path.relative_to(directory)}\n"
        for path in sorted(path for path in files if path.is_file())
    )
    return hashlib.sha256(hashes.encode()).hexdigest()
