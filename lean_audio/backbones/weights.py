"""A backbone's pretrained weights, from TF-Hub or a directory, stored with their provenance."""

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

from lean_audio.backbones.base import (
    PROVENANCE_FILE,
    WEIGHTS_FILE,
    Backbone,
    Provenance,
    load_provenance,
)
from lean_audio.config.schema import Yamnet
from lean_audio.errors import LeanError
from lean_audio.files import atomic_file, sha256, write_json

READ_TIMEOUT_S = 20.0  # of TF-Hub's server
DOWNLOAD_TIMEOUT_S = 300.0
UNTRAINED_SEED = 1


def prepare_weights(
    backbone: Backbone, settings: Yamnet, *, synthetic: bool, folder: Path
) -> Provenance:
    """Write the backbone's weights and their provenance to `folder`.

    Untrained weights are written for synthetic data if TF-Hub cannot be reached, or if they are
    asked for by name; they never replace trained ones unasked.

    Raises
    ------
    LeanError
        If the source cannot be had, or only untrained weights can and `folder` has trained ones.
    """
    model = backbone.build()
    found = _find_directory(settings, synthetic)
    if found is None:
        _keep_trained(settings, folder)
        _fill_untrained(model, UNTRAINED_SEED)
    else:
        backbone.load(model, found)
    with atomic_file(folder / WEIGHTS_FILE) as temporary:
        model.save_weights(temporary)
    digest = sha256(folder / WEIGHTS_FILE)
    provenance = Provenance(*_origin(settings, found), digest, model.count_params())
    write_json(folder / PROVENANCE_FILE, asdict(provenance))
    return provenance


def load_pretrained(backbone: Backbone, folder: Path) -> keras.Model:
    """Build the backbone with the weights that `prepare_weights` wrote to `folder`."""
    model = backbone.build()
    model.load_weights(folder / WEIGHTS_FILE)
    return model


def _keep_trained(settings: Yamnet, folder: Path) -> None:
    if settings.source == "untrained" or not (folder / PROVENANCE_FILE).is_file():
        return
    if load_provenance(folder).trained:
        raise LeanError(
            f"yamnet.source: {settings.source!r} cannot reach TF-Hub, and {folder} has trained "
            "weights; connect to the internet, or set yamnet.source to untrained to replace them "
            "by random ones"
        )


def _find_directory(settings: Yamnet, synthetic: bool) -> Path | None:
    """Return the directory of the weights; None stands for untrained ones."""
    if settings.source == "untrained":
        return None
    if settings.source not in ("auto", "hub"):
        return _local_directory(Path(settings.source).expanduser())
    try:
        return _resolve_hub(settings.hub_url)
    except (OSError, ValueError, RuntimeError, HTTPException) as error:
        if settings.source == "auto" and synthetic:
            print(
                f"Cannot download YAMNet from TF-Hub ({error}): using untrained weights. "
                "Later, `dvc repro --force weights` downloads the trained ones.",
                file=sys.stderr,
            )
            return None
        raise LeanError(
            f"yamnet.source: {settings.source!r} could not fetch {settings.hub_url} ({error}); "
            "set yamnet.source (make tagger: YAMNET=) to the directory of a downloaded SavedModel, "
            "see docs/own-sounds.md"
        ) from None


def _local_directory(path: Path) -> Path:
    if not path.is_dir():
        raise LeanError(
            f"yamnet.source: {str(path)!r} is not a directory; "
            "allowed are auto, hub, untrained or the directory of a SavedModel"
        )
    return path


def _resolve_hub(url: str) -> Path:
    """Download a SavedModel, or find it in TF-Hub's own cache, and return its directory.

    Runs in a thread, as TF-Hub may wait for another process's unfinished download.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "pkg_resources is deprecated")
        import tensorflow_hub as hub

    future: Future[str] = Future()

    def fetch() -> None:
        try:
            future.set_result(hub.resolve(url))
        except Exception as error:  # raised again by future.result
            future.set_exception(error)

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(READ_TIMEOUT_S)
    try:
        Thread(target=fetch, daemon=True).start()
        found = Path(future.result(timeout=DOWNLOAD_TIMEOUT_S))
    except TimeoutError:
        raise OSError(f"no answer within {DOWNLOAD_TIMEOUT_S:g} s") from None
    finally:
        socket.setdefaulttimeout(before)
    if not any(found.glob("saved_model.pb*")):
        raise OSError(f"its copy in {found} is incomplete: delete this directory")
    return found


def _fill_untrained(model: keras.Model, seed: int) -> None:
    """Fill kernels He-normally from one stream and centre batch norm on noise patches.

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
    """Draw one layer's kernel; a tensor of one dimension is its bias."""
    if len(shape) == 1:
        return np.zeros(shape, np.float32)
    inputs = np.prod(shape[: 2 if depthwise else -1])
    return rng.normal(0.0, np.sqrt(2.0 / inputs), shape).astype(np.float32)


def _origin(settings: Yamnet, found: Path | None) -> tuple[str, str, bool, str | None]:
    if found is None:
        return "untrained", f"seed {UNTRAINED_SEED}", False, None
    if settings.source in ("auto", "hub"):
        return "hub", settings.hub_url, True, _sha256_of_tree(found)
    return "path", found.resolve().name, True, _sha256_of_tree(found)


def _sha256_of_tree(directory: Path) -> str:
    """Hash a SavedModel's graph and variables; of another directory, every file."""
    graph, variables = directory / "saved_model.pb", directory / "variables"
    files = [graph, *variables.glob("*")] if graph.is_file() else directory.rglob("*")
    hashes = "".join(
        f"{sha256(path)}  {path.relative_to(directory)}\n"
        for path in sorted(path for path in files if path.is_file())
    )
    return hashlib.sha256(hashes.encode()).hexdigest()
