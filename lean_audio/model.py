"""The heads of the ablation: projection, wave encoder, cross attention (paper, III-B to III-E).

Backend-neutral Keras 3. The backbone is frozen and its embeddings are cached, so a variant's
trainable model takes an embedding and, if it has a wave encoder, the chunk's waveform.
"""

from collections.abc import Callable

import keras
from keras import layers, ops

from lean_audio.backbone import EMBEDDING_UNITS
from lean_audio.sections import Variant
from lean_audio.views import CHUNK_SAMPLES
from lean_audio.yamnet import build_yamnet

FRAME_SAMPLES = 400  # 25 ms, no overlap
STEPS = CHUNK_SAMPLES // FRAME_SAMPLES  # 40


def bilstm(units: int, sequences: bool, name: str) -> layers.Bidirectional:
    """(batch, t, d) to (batch, t, 2 * units) or, without sequences, to the last states."""
    lstm = layers.LSTM(units, return_sequences=sequences, name=f"{name}_lstm")
    return layers.Bidirectional(lstm, name=name)


Recurrent = Callable[[int, bool, str], keras.Layer]


def build_head(variant: Variant, classes: int, recurrent: Recurrent = bilstm) -> keras.Model:
    """Inputs: embedding (batch, 1024)[, waveform (batch, 16000)]; output: scores (batch, classes).

    recurrent: makes the wave encoder's layers; another one may compute the same in another way.
    Raises nothing of its own: Variant has checked that the parts fit.
    """
    embedding = keras.Input((EMBEDDING_UNITS,), name="embedding")
    inputs, features = {"embedding": embedding}, embedding
    if variant.projection_units:
        features = layers.Dense(variant.projection_units, name="projection")(embedding)
    if variant.encoder_units:
        inputs["waveform"] = keras.Input((CHUNK_SAMPLES,), name="waveform")
        context = _context(variant, features, inputs["waveform"], recurrent)
        features = layers.Concatenate(name="joint")([features, context])
    # float32 whatever the policy: 16 bits cannot tell scores near 1 from 1
    scores = layers.Dense(classes, activation="sigmoid", dtype="float32", name="scores")(features)
    return keras.Model(inputs, scores, name="head")


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


def count_parameters(variant: Variant, classes: int) -> int:
    """Of the whole network: backbone (with batch-norm statistics) and head."""
    return build_yamnet().count_params() + build_head(variant, classes).count_params()
