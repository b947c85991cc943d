"""The same head, weights and batches under TensorFlow and under JAX, in a process of its own.

That one has no TensorFlow: where there is one, Keras imports it whatever the backend.
"""

import keras
import numpy as np
import pytest
from processes import finish, run_here, start
from splits import VOCABULARY

from lean_audio.backbones.yamnet import BACKBONE
from lean_audio.config.params import load_params
from lean_audio.model import build_head

PARAMS = load_params()
CANCELLED = "score/bias"  # by the softmax: it hardly moves


def weights(name: str, path) -> dict[str, np.ndarray]:
    head = build_head(PARAMS.model(name).network, len(VOCABULARY), BACKBONE)
    head.load_weights(path)
    return {weight.path: weight.numpy() for weight in head.weights}


@pytest.mark.specialist
def test_training_agrees_between_backends(tmp_path):
    """Ten steps of Adam at 1e-4, which move a weight by at most 1e-3; the last batch is short."""
    name = "joint-bahdanau"
    keras.utils.set_random_seed(7)
    initial = tmp_path / "start.weights.h5"
    build_head(PARAMS.model(name).network, len(VOCABULARY), BACKBONE).save_weights(initial)
    asked = {"model": name, "batch_size": 10, "start": str(initial)}
    out = tmp_path / "jax.npz"
    other = start(out, {"KERAS_BACKEND": "jax"}, tensorflow=False, **asked)
    ours = run_here(tmp_path / "tensorflow.npz", **asked)
    theirs = finish(other, out)
    assert (ours.facts["backend"], ours.facts["tensorflow"]) == ("tensorflow", True)
    assert (theirs.facts["backend"], theirs.facts["tensorflow"]) == ("jax", False)
    np.testing.assert_allclose(theirs.losses, ours.losses, rtol=1e-5)
    np.testing.assert_allclose(theirs.scores, ours.scores, atol=1e-5)
    before, expected = weights(name, initial), weights(name, ours.weights)
    moved = weights(name, theirs.weights)
    for path, weight in expected.items():
        if CANCELLED not in path:
            assert np.abs(weight - before[path]).max() > 1e-4
        assert np.abs(moved[path] - weight).max() < 1e-5
