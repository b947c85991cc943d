"""A LEAN model with random weights, in Keras and as finished .tflite files."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from device_models import LABELS, Made, write


@pytest.fixture(scope="session")
def yamnet_folder(tmp_path_factory, backbone) -> Path:
    from lean_audio.backbones.weights import obtain
    from lean_audio.config.schema import Yamnet

    folder = tmp_path_factory.mktemp("yamnet")
    untrained = Yamnet(source="untrained", hub_url="", silence_s=1, deadline_s=1, seed=1)
    obtain(backbone, untrained, synthetic=True, folder=folder)
    return folder


@pytest.fixture(scope="session")
def make_tagger(tmp_path_factory, params, backbone, yamnet_folder):
    """variant -> Made, with the float32 file without metadata as bare.tflite."""
    import keras

    from lean_audio.backbones.logmel import LogMel
    from lean_audio.backbones.weights import load_pretrained
    from lean_audio.device.export import export_tagger
    from lean_audio.model import build_head, with_layers

    @cache
    def make(name: str) -> Made:
        folder = tmp_path_factory.mktemp("tagger")
        variant = params.variant(name)
        keras.utils.set_random_seed(2)
        head = build_head(variant, len(LABELS), backbone)
        rng = np.random.default_rng(0)
        weights = [0.5 * weight for weight in head.get_weights()]  # with biases as after training
        head.set_weights([weight + rng.normal(0, 0.01, weight.shape) for weight in weights])
        head.save_weights(folder / "head.weights.h5")
        content = export_tagger(
            variant, len(LABELS), backbone, yamnet_folder, folder / "head.weights.h5"
        )
        (folder / "bare.tflite").write_bytes(content)
        loudness = np.array([0.3, 0.1, 0.01, 0.001, 0.0])[:, None]
        waveforms = (rng.normal(size=(5, 16_000)) * loudness).clip(-1, 1).astype(np.float32)
        network = with_layers(load_pretrained(backbone, yamnet_folder), variant.layers)
        inputs = {
            **network(LogMel()(waveforms)),
            "waveform": keras.ops.convert_to_tensor(waveforms),
        }
        scores = head({key: inputs[key] for key in head.input})
        return Made(folder, waveforms, keras.ops.convert_to_numpy(scores))

    return make


@pytest.fixture(scope="session")
def lean(make_tagger) -> Made:
    return make_tagger("joint-bahdanau")


@pytest.fixture(scope="session")
def shipped(lean) -> Path:
    """The float32 file with metadata."""
    return write(lean.folder / "bare.tflite", lean.folder / "lean.tflite", "float32", {})
