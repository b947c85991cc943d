"""The embed stage: rows in the chunks' order, of the patch that was asked for."""

import numpy as np
import pytest

from lean_audio.audio.decode import to_float
from lean_audio.backbones.base import load_backbone
from lean_audio.backbones.export import export_features
from lean_audio.backbones.logmel import LogMel
from lean_audio.backbones.pooling import with_layers
from lean_audio.backbones.weights import load_pretrained
from lean_audio.errors import LeanError
from lean_audio.features.cache import Embeddings
from lean_audio.features.chunks import open_chunks
from lean_audio.tflite.runtime import Runtime


def test_cached_rows_are_the_features_of_their_chunks(finished, params, backbone):
    data = finished.root / "data" / "demo"
    chunks = open_chunks(data / "audio" / "eval")
    rows = np.arange(len(chunks))[::7]
    cached = Embeddings(data / "embeddings" / "eval")
    network = with_layers(load_pretrained(backbone, data / "weights"), params.embed.layers)
    expected = network(LogMel()(to_float(chunks.waveforms(rows))), training=False)
    assert set(expected) == {"embedding", *params.embed.layers}
    for name, values in expected.items():
        assert values.shape == (len(rows), backbone.width(name))
        scale = float(np.abs(values).max())  # LiteRT rounds elsewhere
        np.testing.assert_allclose(cached.rows(rows, name), values, rtol=0, atol=1e-4 * scale)
    with pytest.raises(LeanError, match=r"no 'pointwise_1_relu', only embedding, pointwise"):
        cached.rows(rows, "pointwise_1_relu")


def test_mean_normalization_changes_the_patch_by_its_band_means(finished, params):
    data = finished.root / "data" / "demo"
    samples = open_chunks(data / "audio" / "eval").waveforms([0, 1])
    plain, normalised = LogMel()(to_float(samples)), LogMel(True)(to_float(samples))
    np.testing.assert_allclose(np.mean(normalised, axis=1), 0, atol=1e-5)
    difference = np.asarray(plain) - np.asarray(normalised)
    np.testing.assert_allclose(
        difference, np.broadcast_to(difference[:, :1], difference.shape), atol=1e-5
    )
    chunk = to_float(samples[0])
    first, second = (
        Runtime(export_features(load_backbone(params.backbone, flag), data / "weights"))(chunk)
        for flag in (False, True)
    )
    assert np.abs(first - second).max() > 0
