"""A LEAN model with random weights, in Keras and as finished .tflite files."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from device_models import LABELS, Made, write


@pytest.fixture(scope="session")
def backbone_weights(tmp_path_factory, backbone) -> Path:
    from lean_audio.backbones.weights import prepare_weights
    from lean_audio.config.schema import Yamnet

    folder = tmp_path_factory.mktemp("weights")
    untrained = Yamnet(source="untrained", hub_url="")
    prepare_weights(backbone, untrained, synthetic=True, folder=folder)
    return folder


@pytest.fixture(scope="session")
def make_tagger(tmp_path_factory, params, backbone, backbone_weights):
    """model -> Made."""
    import keras

    from lean_audio.backbones.logmel import LogMel
    from lean_audio.backbones.pooling import with_layers
    from lean_audio.backbones.weights import load_pretrained
    from lean_audio.device.export import export_tagger
    from lean_audio.model import build_head

    @cache
    def make(name: str) -> Made:
        folder = tmp_path_factory.mktemp("tagger")
        network = params.model(name).network
        keras.utils.set_random_seed(2)
        head = build_head(network, len(LABELS), backbone)
        rng = np.random.default_rng(0)
        weights = [0.5 * weight for weight in head.get_weights()]  # with biases as after training
        head.set_weights([weight + rng.normal(0, 0.01, weight.shape) for weight in weights])
        head.save_weights(folder / "head.weights.h5")
        content = export_tagger(
            network, len(LABELS), backbone, backbone_weights, folder / "head.weights.h5"
        )
        loudness = np.array([0.3, 0.1, 0.01, 0.001, 0.0])[:, None]
        waveforms = (rng.normal(size=(5, 16_000)) * loudness).clip(-1, 1).astype(np.float32)
        extended = with_layers(load_pretrained(backbone, backbone_weights), network.layers)
        inputs = {
            **extended(LogMel()(waveforms)),
            "waveform": keras.ops.convert_to_tensor(waveforms),
        }
        scores = head({key: inputs[key] for key in head.input})
        made = Made(folder, waveforms, keras.ops.convert_to_numpy(scores))
        made.bare.write_bytes(content)
        return made

    return make


@pytest.fixture(scope="session")
def lean(make_tagger) -> Made:
    return make_tagger("joint-bahdanau")


@pytest.fixture(scope="session")
def shipped(lean) -> Path:
    """The float32 file with metadata."""
    return write(lean.bare, lean.folder / "lean.tflite", "float32", {})


@pytest.fixture
def sound(tmp_path) -> Path:
    """2.5 s of noise, so four chunks at a hop of 0.5 s."""
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 40_000), 16_000)
    return path
