"""Training and scoring on a handful of chunks."""

from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from splits import frozen, store

from lean_audio.backbones.base import load_backbone
from lean_audio.config.params import load_params
from lean_audio.errors import LeanError
from lean_audio.metrics.average_precision import mean_average_precision
from lean_audio.model import build_head
from lean_audio.training.batches import Examples, OrderedBatches, ShuffledBatches
from lean_audio.training.fit import BestEpoch, precision, train, trainee
from lean_audio.training.scoring import score_clips

BACKBONE = load_backbone(load_params().backbone, mean_normalization=False)


@pytest.fixture
def examples(tmp_path) -> Examples:
    labels = [("Dog",), ("Bark", "Dog"), (), ("Bark",)] * 3
    return store(tmp_path / "chunks", [9000, 30000, 20000, 16000] * 3, labels)


def settings(params, **changes):
    return params.train.model_copy(update={"epochs": 3, "batch_size": 8, **changes})


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


def test_mixup_mixes_inputs_and_targets_of_a_batch_by_the_same_shares(examples):
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


def test_training_learns_and_keeps_the_best_epoch(examples, params, tmp_path):
    run = train(
        params.variants["yamnet-projection"],
        examples,
        examples,
        settings(params, epochs=8, learning_rate=0.01),
        BACKBONE,
        frozen(tmp_path),
        seed=1,
        score_batch_size=16,
    )
    assert run.history["epoch"].tolist() == list(range(1, 9))
    assert run.history["loss"].iloc[-1] < run.history["loss"].iloc[0]
    best = run.history["val_mAP"].max()
    assert run.history["val_mAP"][run.best_epoch - 1] == best
    scores = score_clips(run.model, examples, 16)
    assert mean_average_precision(examples.chunks.clip_targets, scores) == best
    assert best > 0.9


def test_the_same_seed_gives_the_same_bytes(examples, params, tmp_path):
    """With a wave encoder too: test_a_killed_run_taken_up_again_ends_in_the_same_bytes."""
    contents = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run = train(
            params.variants["yamnet-projection"],
            examples,
            examples,
            settings(params, epochs=2),
            BACKBONE,
            frozen(tmp_path),
            seed=seed,
            score_batch_size=16,
        )
        run.save_weights(tmp_path / f"{name}.weights.h5")
        contents.append((tmp_path / f"{name}.weights.h5").read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_validation_without_labels_is_refused(examples, params, tmp_path):
    silent = store(tmp_path / "silent", [16000], [()])
    with pytest.raises(LeanError, match="split val: no clip has a label"):
        train(
            params.variants["yamnet"],
            examples,
            silent,
            settings(params),
            BACKBONE,
            Path(),
            seed=1,
            score_batch_size=16,
        )


def test_divergence_is_said_and_not_saved(examples, params, tmp_path):
    with pytest.raises(LeanError, match=r"diverged.*epoch 1.*train\.learning_rate"):
        train(
            params.variants["yamnet"],
            examples,
            examples,
            settings(params, learning_rate=1e38),
            BACKBONE,
            frozen(tmp_path),
            seed=1,
            score_batch_size=16,
        )


@pytest.mark.parametrize("batch_size", [64, 8192])
def test_gradients_in_16_bits_are_those_of_32(batch_size, params):
    """Late in a training, when they are small; without a scale most of them would round to 0."""
    variant = params.variants["yamnet-projection"]
    head = build_head(variant, 200, BACKBONE)
    *others, bias = head.get_weights()
    head.set_weights([*others, bias - 6])
    build = partial(build_head, variant, backbone=BACKBONE)
    recipe = settings(params, mixed_precision=True, batch_size=batch_size)
    mixed = trainee(head, build, recipe, None, steps=1)
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


def test_weights_that_are_not_finite_are_said(examples, params):
    head = build_head(params.variants["yamnet"], 2, BACKBONE)
    head.set_weights([np.full_like(weight, np.nan) for weight in head.get_weights()])
    best = BestEpoch(head, examples, 16)
    best.set_model(head)
    with pytest.raises(LeanError, match=r"after epoch 3 scores are not finite.*mixed_precision"):
        best.on_epoch_end(2, {"loss": 0.1})


def test_16_bits_train_to_the_scores_of_32(examples, params, tmp_path):
    def trained(mixed: bool):
        return train(
            params.variants["yamnet-projection"],
            examples,
            examples,
            settings(params, mixed_precision=mixed),
            BACKBONE,
            frozen(tmp_path),
            seed=1,
            score_batch_size=16,
        )

    mixed, full = trained(True), trained(False)
    assert keras.config.dtype_policy().name == "float32"
    assert np.isfinite(mixed.history).all(axis=None)
    np.testing.assert_allclose(mixed.history["loss"], full.history["loss"], rtol=0.01)
    assert mixed.history["loss"].tolist() != full.history["loss"].tolist()
    mixed.save_weights(tmp_path / "mixed.weights.h5")
    head = build_head(params.variants["yamnet-projection"], 2, BACKBONE)
    head.load_weights(tmp_path / "mixed.weights.h5")
    assert {weight.dtype for weight in head.weights} == {"float32"}
    scores = score_clips(head, examples, 16)
    np.testing.assert_array_equal(scores, score_clips(mixed.model, examples, 16))
    np.testing.assert_allclose(scores, score_clips(full.model, examples, 16), atol=0.01)


def test_layers_made_in_16_bits_keep_weights_and_scores_in_32(params):
    for variant in params.variants.values():
        with precision(True):
            head = build_head(variant, 2, BACKBONE)
        assert {weight.dtype for weight in head.weights} == {"float32"}
        assert head.output.dtype == "float32"
        if variant.projection_units:
            assert head.get_layer("projection").compute_dtype == "float16"


def test_precision_is_given_back_when_something_fails():
    with pytest.raises(ZeroDivisionError), precision(True):
        assert keras.config.dtype_policy().name == "mixed_float16"
        _ = 1 / 0
    assert keras.config.dtype_policy().name == "float32"
