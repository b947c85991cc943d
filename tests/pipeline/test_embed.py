"""The embed stage: rows in the chunks' order, of the patch that was asked for."""

import numpy as np

from lean_audio.audio import to_float
from lean_audio.chunks import open_chunks
from lean_audio.embeddings import Embeddings
from lean_audio.export import export_backbone
from lean_audio.logmel import LogMel
from lean_audio.runtime import Runtime
from lean_audio.yamnet import load_yamnet


def test_cached_rows_are_the_embeddings_of_their_chunks(finished, params):
    data = finished.root / "data" / "demo"
    chunks = open_chunks(data / "audio", "eval", ())
    rows = np.arange(len(chunks))[::7]
    cached = Embeddings(data / "embeddings", "eval", params.embed.shard_chunks).rows(rows)
    patches = LogMel()(to_float(chunks.waveforms(rows)))
    expected = load_yamnet(data / "yamnet")(patches, training=False)
    scale = float(np.abs(expected).max())  # LiteRT rounds elsewhere
    np.testing.assert_allclose(cached, expected, rtol=0, atol=1e-4 * scale)


def test_mean_normalization_changes_the_patch_by_its_band_means(finished, params):
    data = finished.root / "data" / "demo"
    samples = open_chunks(data / "audio", "eval", ()).waveforms([0, 1])
    plain, normalised = LogMel()(to_float(samples)), LogMel(True)(to_float(samples))
    np.testing.assert_allclose(np.mean(normalised, axis=1), 0, atol=1e-5)
    difference = np.asarray(plain) - np.asarray(normalised)
    np.testing.assert_allclose(
        difference, np.broadcast_to(difference[:, :1], difference.shape), atol=1e-5
    )
    first, second = (
        Runtime(export_backbone(data / "yamnet", flag))(to_float(samples[0]))
        for flag in (False, True)
    )
    assert np.abs(first - second).max() > 0
