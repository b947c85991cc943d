"""Training and scoring on a handful of chunks."""

from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from splits import VOCABULARY, frozen, store

from lean_audio.backbones.base import load_backbone
from lean_audio.config.params import load_params
from lean_audio.config.schema import Train
from lean_audio.errors import LeanError
from lean_audio.metrics.average_precision import mean_average_precision
from lean_audio.model import build_head
from lean_audio.training.batches import Examples, OrderedBatches, ShuffledBatches
from lean_audio.training.callbacks import BestEpoch
from lean_audio.training.fit import TrainingRun, compiled_model, precision, train
from lean_audio.training.heads import read_head, save_head
from lean_audio.training.scoring import score_clips

PARAMS = load_params()
BACKBONE = load_backbone(PARAMS.backbone, mean_normalization=False)
PROJECTION = PARAMS.model("yamnet-projection").network


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> Examples:
    labels = [("Dog",), ("Bark", "Dog"), (), ("Bark",)] * 3
    lengths = [9000, 30000, 20000, 16000] * 3
    return store(tmp_path_factory.mktemp("examples") / "split", lengths, labels)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return frozen(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def fit(examples, weights):
    """Train on the examples and choose the best epoch by them, or by `validation`."""

    def run(network=PROJECTION, validation=examples, seed=1, **changes) -> TrainingRun:
        return train(network, examples, validation, recipe(**changes), BACKBONE, weights, seed=seed)

    return run


def recipe(**changes) -> Train:
    return PARAMS.train.model_copy(update={"epochs": 3, "batch_size": 8, **changes})


def test_every_chunk_is_seen_once_an_epoch_in_an_order_of_its_own(examples):
    batches = ShuffledBatches(examples, 8, seed=1, inputs=["embedding"])
    first = batches.order.copy()
    batches.on_epoch_begin()
    assert sorted(first) == sorted(batches.order) == list(range(len(examples.chunks)))
    assert first.tolist() != batches.order.tolist()
    again = ShuffledBatches(examples, 8, seed=1, inputs=["embedding"])
    assert first.tolist() == again.order.tolist()


def test_batches_line_up_embedding_waveform_and_target(examples):
    batches = ShuffledBatches(examples, 8, seed=1, inputs=["embedding", "waveform"])
    inputs, targets = batches[1]
    rows = batches.order[8:16]
    np.testing.assert_array_equal(inputs["embedding"], examples.embeddings.rows(rows))
    np.testing.assert_array_equal(targets, examples.chunks.targets(rows))
    expected = examples.chunks.waveforms(rows) / np.float32(32768)
    np.testing.assert_array_equal(inputs["waveform"], expected)
    assert sum(len(batches[index][1]) for index in range(len(batches))) == len(examples.chunks)


def test_mixup_mixes_inputs_and_targets_of_a_batch_by_the_same_weights(examples):
    plain = ShuffledBatches(examples, 8, seed=1, inputs=["embedding"])
    mixed = ShuffledBatches(examples, 8, seed=1, inputs=["embedding"], mixup=1.0)
    (one, targets), (other, other_targets) = plain[0], mixed[0]
    found = set()
    for row in range(8):  # which of the batch was mixed in, and by how much
        for partner in range(8):
            step = one["embedding"][partner] - one["embedding"][row]
            share = np.dot(other["embedding"][row] - one["embedding"][row], step)
            share /= max(np.dot(step, step), 1e-9)
            image = one["embedding"][row] + share * step
            if np.allclose(other["embedding"][row], image, atol=1e-4) and partner != row:
                expected = targets[row] + share * (targets[partner] - targets[row])
                np.testing.assert_allclose(other_targets[row], expected, atol=1e-4)
                found.add(row)
    assert len(found) >= 5  # a chunk may be its own partner
    again = ShuffledBatches(examples, 8, seed=1, inputs=["embedding"], mixup=1.0)
    np.testing.assert_array_equal(again[0][0]["embedding"], other["embedding"])
    again.on_epoch_begin()
    assert again.order.tolist() != mixed.order.tolist()


def test_a_clips_score_is_the_mean_of_its_chunks_scores(examples):
    model = keras.Sequential(
        [keras.Input((1024,), name="embedding"), keras.layers.Dense(2, "sigmoid")]
    )
    named = keras.Model({"embedding": model.inputs[0]}, model.outputs[0])
    (inputs,) = OrderedBatches(examples, 1000, inputs=["embedding"])[0]
    chunk_scores = named.predict_on_batch(inputs)
    clip_of_chunk = examples.chunks.clip_of_chunk
    expected = [chunk_scores[clip_of_chunk == clip].mean(0) for clip in range(12)]
    for batch_size in (1, 5, 100):
        scores = score_clips(named, examples, batch_size)
        np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_training_learns_and_keeps_the_best_epoch(fit, examples):
    run = fit(epochs=8, learning_rate=0.01)
    assert run.history["epoch"].tolist() == list(range(1, 9))
    assert run.history["loss"].iloc[-1] < run.history["loss"].iloc[0]
    best = run.history["val_mAP"].max()
    assert run.history["val_mAP"][run.best_epoch - 1] == best
    scores = score_clips(run.model, examples)
    assert mean_average_precision(examples.chunks.clip_targets, scores) == best
    assert best > 0.9
    assert run.facts == {
        "best_epoch": run.best_epoch,
        "val_mAP": best,
        "parameters": 3_217_344 + 1025 * 256 + 257 * 2,
        "replicas": 1,
        "backend": "tensorflow",
    }


def test_the_same_seed_gives_the_same_bytes(fit, tmp_path):
    """With a wave encoder too: test_a_killed_run_taken_up_again_ends_in_the_same_bytes."""
    contents = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        save_head(tmp_path / name, "plus", 1, PROJECTION, fit(epochs=2, seed=seed).model)
        contents.append([path.read_bytes() for path in sorted((tmp_path / name).iterdir())])
    assert len(contents[0]) == 2
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


@pytest.mark.parametrize("name", PARAMS.models)
def test_a_head_on_disk_names_its_training_and_its_network(tmp_path, name):
    network = PARAMS.model(name).network
    weights = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    save_head(tmp_path, name, 7, network, weights)
    head = read_head(tmp_path)
    assert (head.model, head.seed, head.network) == (name, 7, network)


def test_validation_without_labels_is_refused(fit, tmp_path):
    silent = store(tmp_path / "silent", [16000], [()])
    with pytest.raises(LeanError, match="split val has no labelled clip"):
        fit(validation=silent)


def test_divergence_is_said_and_not_saved(fit):
    with pytest.raises(LeanError, match=r"diverged.*epoch 1.*train\.learning_rate"):
        fit(learning_rate=1e38)


@pytest.mark.parametrize("batch_size", [64, 8192])
def test_gradients_in_16_bits_are_those_of_32(batch_size):
    """Late in a training, when they are small; without a scale most of them would round to 0."""
    head = build_head(PROJECTION, 200, BACKBONE)
    *others, bias = head.get_weights()
    head.set_weights([*others, bias - 6])
    build = partial(build_head, PROJECTION, backbone=BACKBONE)
    settings = recipe(mixed_precision=True, batch_size=batch_size)
    mixed = compiled_model(head, build, settings, None, steps=1)
    rng = np.random.default_rng(0)
    inputs = {"embedding": rng.exponential(0.3, (batch_size, 1024)).astype(np.float32)}
    targets = (rng.random((batch_size, 200)) < 0.003).astype(np.float32)

    def gradients(model, scale: float) -> list[np.ndarray]:
        with tf.GradientTape() as tape:
            losses = keras.losses.binary_crossentropy(targets, model(inputs, training=True))
            loss = scale * tf.reduce_mean(losses)
        return [part.numpy() / scale for part in tape.gradient(loss, model.trainable_variables)]

    scale = mixed.optimizer.loss_scale_factor
    for ours, exact in zip(gradients(mixed, scale), gradients(head, 1.0), strict=True):
        assert np.linalg.norm(ours - exact) < 1e-3 * np.linalg.norm(exact)


def test_weights_that_are_not_finite_are_said(examples):
    head = build_head(PARAMS.model("yamnet").network, len(VOCABULARY), BACKBONE)
    head.set_weights([np.full_like(weight, np.nan) for weight in head.get_weights()])
    best = BestEpoch(head, examples)
    best.set_model(head)
    with pytest.raises(LeanError, match=r"after epoch 3 scores are not finite.*mixed_precision"):
        best.on_epoch_end(2, {"loss": 0.1})


def test_16_bits_train_to_the_scores_of_32(fit, examples, tmp_path):
    mixed, full = fit(mixed_precision=True), fit()
    assert keras.config.dtype_policy().name == "float32"
    assert np.isfinite(mixed.history).all(axis=None)
    np.testing.assert_allclose(mixed.history["loss"], full.history["loss"], rtol=0.01)
    assert mixed.history["loss"].tolist() != full.history["loss"].tolist()
    save_head(tmp_path, "mixed", 1, PROJECTION, mixed.model)
    head = read_head(tmp_path).open(len(VOCABULARY), BACKBONE)
    assert {weight.dtype for weight in head.weights} == {"float32"}
    scores = score_clips(head, examples)
    np.testing.assert_array_equal(scores, score_clips(mixed.model, examples))
    np.testing.assert_allclose(scores, score_clips(full.model, examples), atol=0.01)


@pytest.mark.parametrize("name", PARAMS.variants)
def test_layers_made_in_16_bits_keep_weights_and_scores_in_32(name):
    network = PARAMS.model(name).network
    with precision(True):
        head = build_head(network, len(VOCABULARY), BACKBONE)
    assert {weight.dtype for weight in head.weights} == {"float32"}
    assert head.output.dtype == "float32"
    if network.projection_units:
        assert head.get_layer("projection").compute_dtype == "float16"


def test_precision_is_given_back_when_something_fails():
    with pytest.raises(ZeroDivisionError), precision(True):
        assert keras.config.dtype_policy().name == "mixed_float16"
        _ = 1 / 0
    assert keras.config.dtype_policy().name == "float32"
