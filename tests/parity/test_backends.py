"""The same head, weights and batches under TensorFlow and under JAX, each in its own process."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from helpers import ROOT
from processes import inherited, run, start
from splits import VOCABULARY

from lean_audio.model import build_head
from lean_audio.params import load_params

VARIANTS = load_params().variants
CANCELLED = "score/bias"  # by the softmax: it hardly moves


def weights(name: str, path) -> dict[str, np.ndarray]:
    head = build_head(VARIANTS[name], len(VOCABULARY))
    head.load_weights(path)
    return {weight.path: weight.numpy() for weight in head.weights}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["joint-bahdanau", "joint-none"])
def test_training_agrees_between_backends(name, tmp_path):
    """Ten steps of Adam at 1e-4, which move a weight by at most 1e-3."""
    keras.utils.set_random_seed(7)
    initial = tmp_path / "start.weights.h5"
    build_head(VARIANTS[name], len(VOCABULARY)).save_weights(initial)
    ours, theirs = (
        run(
            tmp_path / f"{backend}.npz",
            {"KERAS_BACKEND": backend},
            variant=name,
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
def test_jax_trains_and_scores_without_tensorflow(tmp_path):
    trained = run(tmp_path / "out.npz", {"KERAS_BACKEND": "jax"}, variant="joint-affinity")
    assert trained.facts["backend"] == "jax"
    assert not trained.facts["tensorflow"]
    assert trained.losses[-1] < trained.losses[0]
    assert weights("joint-affinity", trained.weights)  # TensorFlow here reads what JAX wrote


def test_jax_begins_with_the_weights_of_the_seed():
    program = """
import numpy as np
from lean_audio.model import build_head
from lean_audio.params import load_params
from lean_audio.strategy import make_deterministic
def initial(seed):
    make_deterministic(seed)
    head = build_head(load_params().variants["joint-bahdanau"], 2)
    return np.concatenate([weights.ravel() for weights in head.get_weights()])
assert (initial(1) == initial(1)).all()
assert (initial(1) != initial(2)).any()
"""
    environment = inherited() | {"KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)


def test_several_devices_are_refused_under_jax(tmp_path):
    process = start(
        tmp_path / "out.npz", {"KERAS_BACKEND": "jax"}, variant="yamnet", strategy="mirrored"
    )
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "LeanError: train.strategy: 'mirrored' needs the TensorFlow backend" in complaint
    assert "'jax'; it allows auto and single" in complaint
