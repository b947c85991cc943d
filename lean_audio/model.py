"""The network of the LEAN paper: projection, wave encoder, cross attention (III-B to III-E).

Backend-neutral Keras 3. A frozen backbone's features are cached, so the trainable model takes
those and, if it has a wave encoder, the chunk's waveform; a model that trains its backbone takes
the waveform alone.
"""

from collections.abc import Callable

import keras
from keras import layers, ops

from lean_audio.audio.chunking import CHUNK_SAMPLES
from lean_audio.backbones.base import EMBEDDING, Backbone
from lean_audio.backbones.pooling import BACKBONE_LAYER, with_layers
from lean_audio.config.schema import Affinity, Bahdanau, Encoder, Network

FRAME_SAMPLES = 400  # 25 ms, no overlap
STEPS = CHUNK_SAMPLES // FRAME_SAMPLES  # 40
WAVEFORM = "waveform"  # the input that is the chunk itself
ATTENTION_LAYER = "attention"

Recurrent = Callable[[int, bool, str], keras.Layer]


def bilstm(units: int, sequences: bool, name: str) -> layers.Bidirectional:
    """Build a layer from (batch, t, d) to (batch, t, 2 * units), or to the last states."""
    lstm = layers.LSTM(units, return_sequences=sequences, name=f"{name}_lstm")
    return layers.Bidirectional(lstm, name=name)


def build_head(
    network: Network, classes: int, backbone: Backbone, recurrent: Recurrent = bilstm
) -> keras.Model:
    """Build the trainable model.

    Parameters
    ----------
    network
        Its layers.
    classes
        Number of classes.
    backbone
        The network whose features it takes or, unless it is frozen, contains.
    recurrent
        Builds the wave encoder's layers; another one may compute the same in another way.

    Returns
    -------
    keras.Model
        From a dictionary of inputs, features (batch, width) and waveform (batch, 16000) as
        model.input names them, to scores (batch, classes).

    Raises
    ------
    LeanError
        For a layer that the backbone does not have.
    """
    inputs = _inputs(network, backbone)
    features = _features(network, backbone, inputs)
    if network.projection_units:
        projection = layers.Dense(network.projection_units, network.activation, name="projection")
        features = projection(features)
    if network.encoder:
        context = _context(network.encoder, features, inputs[WAVEFORM], recurrent)
        features = layers.Concatenate(name="joint")([features, context])
    if network.dropout:
        features = layers.Dropout(network.dropout, name="dropout")(features)
    # float32 whatever the policy: 16 bits cannot tell scores near 1 from 1
    scores = layers.Dense(classes, activation="sigmoid", dtype="float32", name="scores")(features)
    return keras.Model(inputs, scores, name="head")


def _inputs(network: Network, backbone: Backbone) -> dict[str, keras.KerasTensor]:
    backbone.require(network.layers)
    frozen = network.backbone == "frozen"
    names = (EMBEDDING, *network.layers) if frozen else ()
    inputs = {name: keras.Input((backbone.width(name),), name=name) for name in names}
    if network.encoder or not frozen:
        inputs[WAVEFORM] = keras.Input((CHUNK_SAMPLES,), name=WAVEFORM)
    return inputs


def _features(network: Network, backbone: Backbone, inputs: dict[str, keras.KerasTensor]):
    """Return the embedding followed by network.layers, (batch, width)."""
    if network.backbone != "frozen":
        extended = with_layers(backbone.build(), network.layers)
        inputs = extended(backbone.front_end()(inputs[WAVEFORM]))
    features = {name: inputs[name] for name in (EMBEDDING, *network.layers)}
    if network.normalization:  # each by itself: a norm of all would be folded into the projection,
        # whose weights would then differ too much in scale for 4 bits
        features = {name: _normalized(name, feature) for name, feature in features.items()}
    joined = list(features.values())
    return layers.Concatenate(name="features")(joined) if network.layers else joined[0]


def _normalized(name: str, feature: keras.KerasTensor):
    return layers.BatchNormalization(center=False, scale=False, name=f"norm_{name}")(feature)


def backbone_of(head: keras.Model) -> keras.Model:
    """Return the backbone inside a head that trains it."""
    return head.get_layer(BACKBONE_LAYER)


def _context(encoder: Encoder, projected, waveform, recurrent: Recurrent):
    """Return what the wave encoder adds to the projected embedding, (batch, 2 * units)."""
    frames = layers.Reshape((STEPS, FRAME_SAMPLES), name="frames")(waveform)
    encoded = recurrent(encoder.units, True, "encoder_1")(frames)
    encoded = recurrent(encoder.units, encoder.attention is not None, "encoder_2")(encoded)
    if encoder.attention is None:
        return encoded  # each direction's last state, which has seen the whole second
    context, _ = build_attention(encoder.attention)(projected, encoded)
    return context


def build_attention(attention: Affinity | Bahdanau) -> keras.Layer:
    """Build the cross attention between projected embedding and encoded waveform."""
    if isinstance(attention, Affinity):
        return AffinityAttention(name=ATTENTION_LAYER)
    return BahdanauAttention(attention.units, name=ATTENTION_LAYER)


class AffinityAttention(layers.Layer):
    """Affinity attention without parameters: A = softmax_t(tanh(E . h_t)), c = sum_t A_t h_t.

    Paper, eq. 4-7.

    call: E (batch, d), h (batch, t, d) -> c (batch, d), A (batch, t).
    """

    def call(self, projected, encoded):
        energy = ops.tanh(ops.einsum("bd,btd->bt", projected, encoded))
        return _attend(energy, encoded)


class BahdanauAttention(layers.Layer):
    """Additive attention: V = tanh(E W_q + b_q + h W_k + b_k) w_v + b_v, A = softmax_t(V).

    The context is c = sum_t A_t h_t. Paper, eq. 8-11.

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


def count_parameters(network: Network, head: keras.Model, backbone_parameters: int) -> int:
    """Count the parameters of the whole network, batch-norm statistics included.

    backbone_parameters: added for a frozen backbone; one that is trained is part of the head.
    """
    return head.count_params() + (backbone_parameters if network.backbone == "frozen" else 0)
