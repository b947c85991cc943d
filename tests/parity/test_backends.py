"""The same head, weights and batches under TensorFlow and under JAX, each in its own process."""

import keras
import numpy as np
import pytest
from processes import run, start
from splits import VOCABULARY

from lean_audio.model import build_head
from lean_audio.params import load_params
from lean_audio.yamnet import BACKBONE

VARIANTS = load_params().variants
LIGHT = {"variant": "yamnet-projection", "batch_size": 10}  # the last batch: 2
CANCELLED = "score/bias"  # by the softmax: it hardly moves


def weights(name: str, path) -> dict[str, np.ndarray]:
    head = build_head(VARIANTS[name], len(VOCABULARY), BACKBONE)
    head.load_weights(path)
    return {weight.path: weight.numpy() for weight in head.weights}


@pytest.mark.slow
def test_training_agrees_between_backends(tmp_path):
    """Six steps of Adam at 1e-4, which move a weight by at most 6e-4."""
    name = "joint-bahdanau"
    keras.utils.set_random_seed(7)
    initial = tmp_path / "start.weights.h5"
    build_head(VARIANTS[name], len(VOCABULARY), BACKBONE).save_weights(initial)
    ours, theirs = (
        run(
            tmp_path / f"{backend}.npz",
            {"KERAS_BACKEND": backend},
            variant=name,
            batch_size=14,
            start=str(initial),
        )
        for backend in ("tensorflow", "jax")
    )
    assert (ours.facts["backend"], theirs.facts["backend"]) == ("tensorflow", "jax")
    np.testing.assert_allclose(theirs.losses, ours.losses, rtol=1e-5)
    np.testing.assert_allclose(theirs.scores, ours.scores, atol=1e-5)
    before, expected = weights(name, initial), weights(name, ours.weights)
    moved = weights(name, theirs.weights)
    for path, weight in expected.items():
        if CANCELLED not in path:
            assert np.abs(weight - before[path]).max() > 1e-4
        assert np.abs(moved[path] - weight).max() < 1e-5


@pytest.mark.slow
def test_jax_trains_and_scores_where_there_is_no_tensorflow(tmp_path):
    """Where there is one, Keras imports it whatever the backend; nothing here needs it."""
    jax = {"KERAS_BACKEND": "jax"}
    trained = run(tmp_path / "out.npz", jax, tensorflow=False, **LIGHT)
    assert trained.facts["backend"] == "jax"
    assert not trained.facts["tensorflow"]
    assert trained.losses[-1] < trained.losses[0]
    assert weights("yamnet-projection", trained.weights)  # TensorFlow here reads what JAX wrote


def test_several_devices_are_refused_under_jax(tmp_path):
    process = start(tmp_path / "out.npz", {"KERAS_BACKEND": "jax"}, strategy="mirrored", **LIGHT)
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "LeanError: train.strategy: 'mirrored' needs the TensorFlow backend" in complaint
    assert "'jax'; it allows auto and single" in complaint
