"""The heads of the ablation: projection, wave encoder, cross attention (paper, III-B to III-E).

Backend-neutral Keras 3. A frozen backbone's features are cached, so a variant's trainable model
takes those and, if it has a wave encoder, the chunk's waveform; one that trains its backbone takes
the waveform alone.
"""

from collections.abc import Callable, Sequence

import keras
from keras import layers, ops

from lean_audio.audio.chunking import CHUNK_SAMPLES
from lean_audio.backbones.base import EMBEDDING, MAXIMUM, Backbone, layer_of
from lean_audio.config.schema import Variant

FRAME_SAMPLES = 400  # 25 ms, no overlap
BACKBONE_LAYER = "backbone"
STEPS = CHUNK_SAMPLES // FRAME_SAMPLES  # 40


def bilstm(units: int, sequences: bool, name: str) -> layers.Bidirectional:
    """(batch, t, d) to (batch, t, 2 * units) or, without sequences, to the last states."""
    lstm = layers.LSTM(units, return_sequences=sequences, name=f"{name}_lstm")
    return layers.Bidirectional(lstm, name=name)


Recurrent = Callable[[int, bool, str], keras.Layer]


def build_head(
    variant: Variant, classes: int, backbone: Backbone, recurrent: Recurrent = bilstm
) -> keras.Model:
    """Scores (batch, classes) of features by name (batch, width) and waveform (batch, 16000).

    Which of them the model takes is said by model.input.
    recurrent: makes the wave encoder's layers; another one may compute the same in another way.
    Raises LeanError for a layer that the backbone does not have; Variant has checked the rest.
    """
    inputs = _inputs(variant, backbone)
    features = _features(variant, backbone, inputs)
    if variant.projection_units:
        activation = variant.activation
        projection = layers.Dense(variant.projection_units, activation, name="projection")
        features = projection(features)
    if variant.encoder_units:
        context = _context(variant, features, inputs["waveform"], recurrent)
        features = layers.Concatenate(name="joint")([features, context])
    if variant.dropout:
        features = layers.Dropout(variant.dropout, name="dropout")(features)
    # float32 whatever the policy: 16 bits cannot tell scores near 1 from 1
    scores = layers.Dense(classes, activation="sigmoid", dtype="float32", name="scores")(features)
    return keras.Model(inputs, scores, name="head")


def _inputs(variant: Variant, backbone: Backbone) -> dict[str, keras.KerasTensor]:
    backbone.require(variant.layers)
    frozen = variant.backbone == "frozen"
    names = (EMBEDDING, *variant.layers) if frozen else ()
    inputs = {name: keras.Input((backbone.width(name),), name=name) for name in names}
    if variant.encoder_units or not frozen:
        inputs["waveform"] = keras.Input((CHUNK_SAMPLES,), name="waveform")
    return inputs


def _features(variant: Variant, backbone: Backbone, inputs: dict[str, keras.KerasTensor]):
    """(batch, width): the embedding and, after it, variant.layers."""
    if variant.backbone != "frozen":
        network = with_layers(backbone.build(), variant.layers)
        inputs = network(backbone.front_end()(inputs["waveform"]))
    features = {name: inputs[name] for name in (EMBEDDING, *variant.layers)}
    if variant.normalization:  # of each by itself: after them all the converter would multiply the
        # projection's weights by the scales, which then differ too much for 4 bits
        features = {name: _normalized(name, feature) for name, feature in features.items()}
    joined = list(features.values())
    return layers.Concatenate(name="features")(joined) if variant.layers else joined[0]


def _normalized(name: str, feature: keras.KerasTensor):
    return layers.BatchNormalization(center=False, scale=False, name=f"norm_{name}")(feature)


def with_layers(model: keras.Model, names: Sequence[str]) -> keras.Model:
    """A backbone that gives its embedding and, of each named layer, the activations' average.

    Of one whose name has _max at its end, the maximum. Over time and frequency: (batch, width).
    Its weights are those of `model`, in their order.
    """
    outputs = {EMBEDDING: model.output}
    for name in names:
        activations = model.get_layer(layer_of(name)).output
        pooling = (
            layers.GlobalMaxPooling2D if name.endswith(MAXIMUM) else layers.GlobalAveragePooling2D
        )
        pooled = pooling(name=f"{name}_pooled")
        outputs[name] = pooled(activations) if len(activations.shape) > 2 else activations
    return keras.Model(model.input, outputs, name=BACKBONE_LAYER)


def backbone_of(head: keras.Model) -> keras.Model:
    """The part that `with_layers` made; for variants that train their backbone."""
    return head.get_layer(BACKBONE_LAYER)


def _context(variant: Variant, projected, waveform, recurrent: Recurrent):
    """(batch, 2 * encoder_units): what the wave encoder adds to the projected embedding."""
    attends = variant.attention != "none"
    frames = layers.Reshape((STEPS, FRAME_SAMPLES), name="frames")(waveform)
    encoded = recurrent(variant.encoder_units, True, "encoder_1")(frames)
    encoded = recurrent(variant.encoder_units, attends, "encoder_2")(encoded)
    if not attends:
        return encoded  # each direction's last state, which has heard the whole second
    context, _ = build_attention(variant)(projected, encoded)
    return context


def build_attention(variant: Variant) -> keras.Layer:
    if variant.attention == "affinity":
        return AffinityAttention(name="attention")
    return BahdanauAttention(variant.attention_units, name="attention")


class AffinityAttention(layers.Layer):
    """Eq. 4-7: A = softmax_t(tanh(E . h_t)), c = sum_t A_t h_t; no parameters.

    call: E (batch, d), h (batch, t, d) -> c (batch, d), A (batch, t).
    """

    def call(self, projected, encoded):
        energy = ops.tanh(ops.einsum("bd,btd->bt", projected, encoded))
        return _attend(energy, encoded)


class BahdanauAttention(layers.Layer):
    """Eq. 8-11: V = tanh(E W_q + b_q + h W_k + b_k) w_v + b_v, A = softmax_t(V), c = sum_t A_t h_t.

    call: E (batch, e), h (batch, t, d) -> c (batch, d), A (batch, t).
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.query = layers.Dense(units, name="query")
        self.key = layers.Dense(units, name="key")
        self.score = layers.Dense(1, name="score")

    def build(self, projected_shape, encoded_shape):
        self.query.build(projected_shape)
        self.key.build(encoded_shape)
        self.score.build((None, self.key.units))

    def call(self, projected, encoded):
        query = ops.expand_dims(self.query(projected), 1)  # (batch, 1, units)
        energy = self.score(ops.tanh(query + self.key(encoded)))  # (batch, t, 1)
        return _attend(ops.squeeze(energy, -1), encoded)


def _attend(energy, encoded):
    weights = ops.softmax(energy, axis=-1)
    return ops.einsum("bt,btd->bd", weights, encoded), weights


def count_parameters(variant: Variant, head: keras.Model, backbone_parameters: int) -> int:
    """Of the whole network: backbone (with batch-norm statistics) and head."""
    return head.count_params() + (backbone_parameters if variant.backbone == "frozen" else 0)
