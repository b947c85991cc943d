"""One float32 .tflite that takes the raw waveform: log-mel, backbone and head in one graph.

Batch 1 and built-in operations only. The wave encoder is computed by LoopBiLSTM, which gives what
Keras's layer gives in half the time: on a phone's one core the recurrent part is most of the cost.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from lean_audio.audio.chunking import CHUNK_SAMPLES
from lean_audio.backbones.base import EMBEDDER_FILE, EMBEDDING, FEATURES_FILE, Backbone
from lean_audio.backbones.weights import load_pretrained
from lean_audio.config.schema import Variant
from lean_audio.files import whole, write_json
from lean_audio.model import build_head, with_layers
from lean_audio.tflite.file import with_named_ends


class LoopBiLSTM(keras.layers.Layer):
    """keras.layers.Bidirectional(LSTM) for inference on one chunk: (1, t, d) -> (1, t, 2 * units).

    The input's product is taken for all steps at once, and one loop runs both directions.
    Without sequences the result is each direction's last state, (1, 2 * units).
    """

    def __init__(self, units: int, sequences: bool, name: str):
        super().__init__(name=name)
        self.units, self.sequences = units, sequences

    def build(self, input_shape):
        shapes = {
            "kernel": (input_shape[-1], 4 * self.units),
            "recurrent": (self.units, 4 * self.units),
            "bias": (4 * self.units,),
        }
        self.directions = [
            [self.add_weight(name=f"{way}_{name}", shape=shape) for name, shape in shapes.items()]
            for way in ("forward", "backward")
        ]

    def compute_output_shape(self, input_shape):
        steps = input_shape[1:-1] if self.sequences else ()
        return (input_shape[0], *steps, 2 * self.units)

    def call(self, inputs):
        steps, units = inputs.shape[1], self.units
        forth = inputs[0]  # (t, d)
        both = zip((forth, tf.reverse(forth, [0])), self.directions, strict=True)
        driven = tf.stack([tf.matmul(x, kernel) + bias for x, (kernel, _, bias) in both], 1)
        recurrent = [weights[1] for weights in self.directions]

        def step(t, hidden, cell, states):
            fed_back = [tf.matmul(hidden[way : way + 1], recurrent[way]) for way in (0, 1)]
            gates = tf.concat(fed_back, 0) + tf.gather(driven, t)
            i, f, candidate, o = tf.split(gates, 4, -1)
            cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(candidate)
            hidden = tf.sigmoid(o) * tf.tanh(cell)
            return t + 1, hidden, cell, xla.dynamic_update_slice(states, hidden[None], [t, 0, 0])

        zeros = tf.zeros((2, units))
        _, hidden, _, states = tf.while_loop(
            lambda t, *_: t < steps, step, (0, zeros, zeros, tf.zeros((steps, 2, units)))
        )
        if not self.sequences:
            return tf.reshape(hidden, (1, 2 * units))
        return tf.concat([states[:, 0], tf.reverse(states[:, 1], [0])], -1)[None]


def export_tagger(
    variant: Variant, classes: int, backbone: Backbone, pretrained: Path, head: Path
) -> bytes:
    """waveform (1, 16000) in [-1, 1) to scores (1, classes).

    pretrained: folder of the backbone's weights; head: file of the trained head's.
    """
    trained = build_head(variant, classes, backbone)
    trained.load_weights(head)
    model = build_head(variant, classes, backbone, LoopBiLSTM)
    model.set_weights(trained.get_weights())
    if variant.backbone != "frozen":
        return _convert(lambda waveform: model({"waveform": waveform}, training=False))
    features = _extractor(backbone, pretrained, variant.layers)

    def tag(waveform):
        inputs = {**features(waveform), "waveform": waveform}
        return model({name: inputs[name] for name in model.input}, training=False)

    return _convert(tag)


def _extractor(backbone: Backbone, pretrained: Path, layers: Sequence[str]) -> Callable:
    """(1, 16000) to the features by name, (1, width) each."""
    network = with_layers(load_pretrained(backbone, pretrained), layers)
    front_end = backbone.front_end()
    return lambda waveform: network(front_end(waveform), training=False)


def write_embedder(backbone: Backbone, folder: Path, layers: Sequence[str]) -> None:
    """Beside the weights, what the embed stage runs: in LiteRT, half as fast again as in Keras.

    layers: whose pooled activations are cached too.
    """
    names = (EMBEDDING, *layers)
    with whole(folder / EMBEDDER_FILE) as temporary:
        temporary.write_bytes(export_features(backbone, folder, layers))
    write_json(folder / FEATURES_FILE, {name: backbone.width(name) for name in names})


def export_features(backbone: Backbone, folder: Path, layers: Sequence[str] = ()) -> bytes:
    """waveform (1, 16000) to the embedding and, after it, the pooled layers (1, width)."""
    extract = _extractor(backbone, folder, layers)

    def features(waveform):
        found = extract(waveform)
        return tf.concat([found[name] for name in (EMBEDDING, *layers)], -1)

    return _convert(features if layers else lambda waveform: extract(waveform)[EMBEDDING])


def export_front_end(backbone: Backbone) -> bytes:
    """waveform (1, 16000) to patch."""
    front_end = backbone.front_end()
    return _convert(lambda waveform: front_end(waveform))


def _convert(function: Callable) -> bytes:
    """Frozen first: the converter can lose the weights of a function that it freezes itself."""
    signature = [tf.TensorSpec((1, CHUNK_SAMPLES), tf.float32, name="waveform")]
    graph = tf.function(function, input_signature=signature, autograph=False)
    frozen = convert_variables_to_constants_v2(graph.get_concrete_function())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    return with_named_ends(converter.convert())
