"""The networks: sizes to the unit, attention as in the paper's equations, gradients."""

from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest

from docs import small_backbone
from lean_audio.backbones.base import load_backbone
from lean_audio.backbones.pooling import with_layers
from lean_audio.config.params import load_params
from lean_audio.config.schema import Affinity, Bahdanau, Network
from lean_audio.errors import LeanError
from lean_audio.model import (
    AffinityAttention,
    BahdanauAttention,
    build_attention,
    build_head,
    count_parameters,
)

PARAMS = load_params()
NETWORKS = {name: model.network for name, model in PARAMS.models.items()}
DISTINCT = {  # of frozen backbones, each network once
    net: name for name, net in reversed(NETWORKS.items()) if net.backbone == "frozen"
}
BACKBONE = load_backbone(PARAMS.backbone, mean_normalization=False)
SMALL = load_backbone(Path("docs/small_backbone.py"), mean_normalization=False)
CLASSES = 200
CANCELLED = "score/bias"  # the attention's last bias, by the softmax
PARAMETERS = {
    "yamnet": 3_422_344,
    "yamnet-projection": 3_531_144,
    "joint-none": 4_518_280,
    "joint-affinity": 4_518_280,
    "joint-bahdanau": 4_584_201,
}


def inputs(model: keras.Model, batch: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {name: (batch, *tensor.shape[1:]) for name, tensor in model.input.items()}
    return {name: rng.normal(size=shape).astype("f4") for name, shape in shapes.items()}


def size(network: Network) -> int:
    head = build_head(network, CLASSES, BACKBONE)
    return count_parameters(network, head, backbone_size())


@cache
def backbone_size() -> int:
    return BACKBONE.build().count_params()


def check_every_weight_moves(model: keras.Model) -> None:
    model.compile(keras.optimizers.SGD(1.0), "binary_crossentropy", run_eagerly=True)
    before = [weight.numpy().copy() for weight in model.trainable_weights]
    for _ in range(2):
        model.train_on_batch(inputs(model), np.eye(5, dtype="f4")[:3])
    pairs = zip(model.trainable_weights, before, strict=True)
    still = [w.path for w, old in pairs if not np.abs(w.numpy() - old).max()]
    assert not [path for path in still if CANCELLED not in path]


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_size_is_exact(name, parameters):
    assert size(NETWORKS[name]) == parameters


@pytest.mark.parametrize("name", ["yamnet-finetuned", "yamnet-scratch"])
def test_a_trained_backbone_counts_as_part_of_the_head(name):
    assert size(NETWORKS[name]) == PARAMETERS["yamnet"]


def test_a_trained_backbone_is_trained_to_its_last_weight():
    model = build_head(NETWORKS["yamnet-finetuned"], 5, BACKBONE)
    assert list(model.input) == ["waveform"]
    model.compile(keras.optimizers.SGD(1.0), "binary_crossentropy")
    before = [weight.numpy().copy() for weight in model.weights]
    model.train_on_batch(inputs(model), np.eye(5, dtype="f4")[:3])
    moved = [np.abs(w.numpy() - old).max() for w, old in zip(model.weights, before, strict=True)]
    assert min(moved) > 0


def test_layers_of_a_trained_backbone_are_trained_with_it():
    network = NETWORKS["yamnet-finetuned"].model_copy(update={"layers": ("block_2_max",)})
    model = build_head(network, 5, SMALL)
    check_every_weight_moves(model)
    assert not model.non_trainable_weights


@pytest.mark.parametrize("name", DISTINCT.values())
def test_every_model_can_be_built_and_trained(name):
    network = NETWORKS[name]
    model = build_head(network, 5, BACKBONE)
    waveform = {"waveform"} if network.encoder else set()
    assert set(model.input) == {"embedding", *network.layers} | waveform
    check_every_weight_moves(model)
    fixed = {weight.path.split("/")[0] for weight in model.non_trainable_weights}
    features = ("embedding", *network.layers) if network.normalization else ()
    assert fixed - {"dropout"} == {f"norm_{feature}" for feature in features}


def test_plus_has_fewer_parameters_than_lean():
    plus = size(NETWORKS["plus"])
    assert plus == 4_457_864
    assert plus < PARAMETERS["joint-bahdanau"]


def test_layers_are_pooled_by_average_and_by_maximum():
    network = small_backbone.build()
    patches = np.random.default_rng(0).normal(size=(2, *network.input.shape[1:])).astype("f4")
    inner = keras.Model(network.input, network.get_layer("block_2").output)
    activations = inner.predict_on_batch(patches)
    names = ("block_2_max", "block_2")
    found = with_layers(network, names).predict_on_batch(patches)
    np.testing.assert_allclose(found["block_2"], activations.mean(axis=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(found["block_2_max"], activations.max(axis=(1, 2)), atol=1e-6)
    assert [SMALL.width(name) for name in names] == [64, 64]


def test_a_finetuned_model_holds_whatever_backbone_there_is():
    own = small_backbone.build().count_params()
    head = build_head(NETWORKS["yamnet-finetuned"], 7, SMALL)
    assert head.count_params() == own + 128 * 7 + 7


@pytest.mark.parametrize("name", ["block_7", "block_7_max", "embedding_max"])
def test_a_layer_that_the_backbone_lacks_is_said(name):
    network = NETWORKS["plus"].model_copy(update={"layers": (name,)})
    with pytest.raises(LeanError, match=rf"'{name}' is not a layer of YAMNet \(pointwise_1_relu"):
        build_head(network, 5, BACKBONE)


@pytest.mark.parametrize("name", PARAMETERS)
def test_scores_are_independent_sigmoids(name):
    model = build_head(NETWORKS[name], CLASSES, BACKBONE)
    scores = model.predict_on_batch(inputs(model))
    assert scores.shape == (3, CLASSES)
    assert ((scores > 0) & (scores < 1)).all()
    assert not np.allclose(scores.sum(axis=1), 1)


def projected_and_encoded() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(2, 256)).astype("f4"), rng.normal(size=(2, 40, 256)).astype("f4")


def softmax(energy: np.ndarray) -> np.ndarray:
    powers = np.exp(energy - energy.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_affinity_is_equations_4_to_7():
    projected, encoded = projected_and_encoded()
    context, weights = AffinityAttention()(projected, encoded)
    expected = softmax(np.tanh((projected[:, None] * encoded).sum(-1)))
    np.testing.assert_allclose(weights, expected, atol=1e-6)
    np.testing.assert_allclose(
        context, (expected[:, :, None] * encoded).sum(1), rtol=1e-4, atol=1e-6
    )


def test_bahdanau_is_equations_8_to_11():
    projected, encoded = projected_and_encoded()
    attention = BahdanauAttention(128)
    context, weights = attention(projected, encoded)
    query_kernel, query_bias, key_kernel, key_bias, score, score_bias = attention.get_weights()
    query = projected @ query_kernel + query_bias
    key = encoded @ key_kernel + key_bias
    expected = softmax((np.tanh(query[:, None] + key) @ score + score_bias)[..., 0])
    np.testing.assert_allclose(weights, expected, atol=1e-5)
    np.testing.assert_allclose(
        context, (expected[:, :, None] * encoded).sum(1), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize(
    "attention", [Affinity(kind="affinity"), Bahdanau(kind="bahdanau", units=128)]
)
def test_attention_weights_sum_to_one_over_the_40_frames(attention):
    _, weights = build_attention(attention)(*projected_and_encoded())
    assert weights.shape == (2, 40)
    np.testing.assert_allclose(np.sum(weights, axis=1), 1, atol=1e-5)


def test_attention_weights_can_be_read_from_a_built_head():
    head = build_head(NETWORKS["joint-bahdanau"], CLASSES, BACKBONE)
    _, weights = head.get_layer("attention").output
    probe = keras.Model(head.input, weights)
    np.testing.assert_allclose(probe.predict_on_batch(inputs(head)).sum(axis=1), 1, atol=1e-5)
