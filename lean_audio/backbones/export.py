"""Backbone and front end as .tflite files that take the raw waveform.

Batch 1 and built-in operations only.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from lean_audio.audio.chunking import CHUNK_SAMPLES
from lean_audio.backbones.base import (
    EMBEDDER_FILE,
    EMBEDDING,
    FEATURES_FILE,
    Backbone,
    load_provenance,
)
from lean_audio.backbones.pooling import with_layers
from lean_audio.backbones.weights import load_pretrained
from lean_audio.files import atomic_file, write_json
from lean_audio.screen import quiet_stderr
from lean_audio.tflite.file import INPUT, with_named_ends

Features = Callable[[Any], Mapping[str, Any]]


def open_extractor(backbone: Backbone, weights: Path, layers: Sequence[str]) -> Features:
    """Return a function from a waveform (1, 16000) to features by name, (1, width) each."""
    network = with_layers(load_pretrained(backbone, weights), layers)
    front_end = backbone.front_end()
    return lambda waveform: network(front_end(waveform), training=False)


def write_embedder(
    backbone: Backbone, weights: Path, folder: Path, layers: Sequence[str], mean_normalization: bool
) -> None:
    """Write what stage embed runs: in LiteRT, 1.5 times as fast as in Keras.

    layers: whose pooled activations are cached beside the embedding.
    """
    names = (EMBEDDING, *layers)
    with atomic_file(folder / EMBEDDER_FILE) as temporary:
        temporary.write_bytes(export_features(backbone, weights, layers))
    about = {
        "weights_sha256": load_provenance(weights).weights_sha256,
        "mean_normalization": mean_normalization,
        "widths": {name: backbone.width(name) for name in names},
    }
    write_json(folder / FEATURES_FILE, about)


def export_features(backbone: Backbone, weights: Path, layers: Sequence[str] = ()) -> bytes:
    """Export waveform (1, 16000) to the embedding followed by the pooled layers, (1, width)."""
    extract = open_extractor(backbone, weights, layers)

    def features(waveform):
        found = extract(waveform)
        return tf.concat([found[name] for name in (EMBEDDING, *layers)], -1)

    return convert(features if layers else lambda waveform: extract(waveform)[EMBEDDING])


def export_front_end(backbone: Backbone) -> bytes:
    """Export waveform (1, 16000) to patch."""
    front_end = backbone.front_end()
    return convert(lambda waveform: front_end(waveform))


def convert(
    function: Callable, shape: tuple[int, ...] = (1, CHUNK_SAMPLES), name: str = INPUT
) -> bytes:
    """Convert a function of one tensor, usually the waveform, to a .tflite.

    Its variables are frozen first: the converter can lose the weights of a function that it
    freezes itself, and no public API freezes them.
    """
    signature = [tf.TensorSpec(shape, tf.float32, name=name)]
    graph = tf.function(function, input_signature=signature, autograph=False)
    frozen = convert_variables_to_constants_v2(graph.get_concrete_function())
    with quiet_stderr():  # it recommends an argument that frozen functions do not have
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        content = converter.convert()
    return with_named_ends(content, name)
