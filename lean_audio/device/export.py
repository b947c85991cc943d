"""One float32 .tflite that takes the raw waveform: log-mel, backbone and head in one graph.

And one without the log-mel, for chips whose runtime has no Fourier transform.

Batch 1 and built-in operations only. The wave encoder is computed by LoopBiLSTM, which gives what
Keras's layer gives in half the time: on a phone's one core the recurrent part is most of the cost.
"""

from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

from lean_audio.backbones.base import Backbone
from lean_audio.backbones.export import convert, open_extractor
from lean_audio.backbones.pooling import with_layers
from lean_audio.backbones.weights import load_pretrained
from lean_audio.config.schema import Network
from lean_audio.errors import LeanError
from lean_audio.model import build_head
from lean_audio.tflite.runtime import PATCH_INPUT


class LoopBiLSTM(keras.layers.Layer):
    """keras.layers.Bidirectional(LSTM) for inference on one chunk: (1, t, d) -> (1, t, 2 * units).

    Takes the weights of Keras's layer as they are, so their order (per direction kernel, recurrent
    kernel, bias) and that of the gates (input, forget, candidate, output) must equal Keras's. The
    input product is computed for all steps at once, and one loop runs both directions. Without
    sequences the result is each direction's last state, (1, 2 * units).
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
            [
                self.add_weight(name=f"{direction}_{name}", shape=shape)
                for name, shape in shapes.items()
            ]
            for direction in ("forward", "backward")
        ]

    def compute_output_shape(self, input_shape):
        steps = input_shape[1:-1] if self.sequences else ()
        return (input_shape[0], *steps, 2 * self.units)

    def call(self, inputs):
        steps, units = inputs.shape[1], self.units
        forward = inputs[0]  # (t, d)
        both = zip((forward, tf.reverse(forward, [0])), self.directions, strict=True)
        input_gates = tf.stack([tf.matmul(x, kernel) + bias for x, (kernel, _, bias) in both], 1)
        recurrent = [weights[1] for weights in self.directions]

        def step(t, hidden, cell, states):
            recurrent_gates = [tf.matmul(hidden[d : d + 1], recurrent[d]) for d in (0, 1)]
            gates = tf.concat(recurrent_gates, 0) + tf.gather(input_gates, t)
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
    network: Network, classes: int, backbone: Backbone, weights: Path, head: Path
) -> bytes:
    """Export a trained model: waveform (1, 16000) in [-1, 1) to scores (1, classes).

    Parameters
    ----------
    network
        Its layers.
    classes
        Number of classes.
    backbone
        The network below the head.
    weights
        Directory of the backbone's pretrained weights; not used by a model that trained its own.
    head
        File of the trained head's weights.
    """
    trained = build_head(network, classes, backbone)
    trained.load_weights(head)
    model = build_head(network, classes, backbone, LoopBiLSTM)
    model.set_weights(trained.get_weights())
    if network.backbone != "frozen":
        return convert(lambda waveform: model({"waveform": waveform}, training=False))
    features = open_extractor(backbone, weights, network.layers)

    def tag(waveform):
        inputs = {**features(waveform), "waveform": waveform}
        return model({name: inputs[name] for name in model.input}, training=False)

    return convert(tag)


def export_patch_tagger(
    network: Network, classes: int, backbone: Backbone, weights: Path, head: Path
) -> bytes:
    """Export a trained model without its front end: patch (1, *patch) to scores (1, classes).

    Parameters are those of `export_tagger`. Raises LeanError if the network needs the waveform.
    """
    if network.encoder or network.backbone != "frozen":
        raise LeanError("the network needs the waveform, not only its patch")
    model = build_head(network, classes, backbone)
    model.load_weights(head)
    extractor = with_layers(load_pretrained(backbone, weights), network.layers, windowed=True)

    def tag(patch):
        features = extractor(patch, training=False)
        return model({name: features[name] for name in model.input}, training=False)

    return convert(tag, (1, *extractor.input_shape[1:]), PATCH_INPUT)
