"""Log-mel and embeddings against the graph Google published."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub

from lean_audio.audio.decode import SAMPLE_RATE_HZ, read_clip, to_float, to_int16
from lean_audio.backbones.logmel import PATCH_SAMPLES, LogMel, hann_window, mel_weights
from lean_audio.backbones.weights import load_pretrained, obtain
from lean_audio.backbones.yamnet import build_yamnet
from lean_audio.config.schema import Yamnet
from lean_audio.device.export import write_embedder
from lean_audio.features.embed import open_embedder

GOLDEN = Path(__file__).with_name("golden_log_mel.npz")
TOLERANCE = 1e-4  # relative
# Far from a loud tone without any noise there is only the rounding of the window's 32-bit floats,
# and the two implementations round differently.
PURE_TONE_TOLERANCE = 1e-3


def settings(source: str) -> Yamnet:
    return Yamnet(
        source=source, hub_url="https://localhost:9/none", silence_s=1, deadline_s=2, seed=3
    )


@pytest.fixture(scope="module")
def published(yamnet_savedmodel):
    return hub.load(str(yamnet_savedmodel))


@pytest.fixture(scope="module")
def rebuilt(backbone, yamnet_savedmodel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("yamnet")
    obtain(backbone, settings(str(yamnet_savedmodel)), synthetic=False, folder=folder)
    write_embedder(backbone, folder, layers=["pointwise_12_relu"])
    return folder


def sounds() -> np.ndarray:
    """(8, 16000) int16: noises from near silence to full scale, tones over a noise floor."""
    rng = np.random.default_rng(0)
    noises = [level * rng.standard_normal(SAMPLE_RATE_HZ) for level in (1e-4, 0.01, 0.1, 0.5)]
    floor = 3e-3 * rng.standard_normal(SAMPLE_RATE_HZ)
    return to_int16(np.stack([*noises, *(pure_tones() + floor)]))


def pure_tones() -> np.ndarray:
    """(4, 16000) float in [-1, 1]."""
    time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    return np.sin(2 * np.pi * np.outer((60, 440, 3000, 7900), time_s)) * 0.9


def relative_error(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def test_mel_weights_are_tensorflows():
    theirs = tf.signal.linear_to_mel_weight_matrix(64, 257, SAMPLE_RATE_HZ, 125.0, 7500.0).numpy()
    np.testing.assert_allclose(mel_weights(), theirs, atol=2e-5)


def test_window_is_tensorflows_periodic_hann():
    np.testing.assert_allclose(hann_window(), tf.signal.hann_window(400).numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "tolerance"),
    [(sounds(), TOLERANCE), (to_int16(pure_tones()), PURE_TONE_TOLERANCE)],
    ids=["sounds", "pure tones"],
)
def test_log_mel_equals_the_published_graph(published, samples, tolerance):
    ours = LogMel()(to_float(samples)).numpy()
    assert ours.shape == (len(samples), 96, 64)
    for patch, waveform in zip(ours, to_float(samples), strict=True):
        _, _, theirs = published(waveform[:PATCH_SAMPLES])
        assert relative_error(patch, theirs.numpy()[:96]) <= tolerance


def test_log_mel_equals_the_golden_file():
    """What the published graph made of the same sounds, for machines without the graph."""
    golden = np.load(GOLDEN)
    ours = LogMel()(to_float(golden["samples"])).numpy()
    assert relative_error(ours, golden["log_mel"]) <= TOLERANCE


def test_the_golden_file_is_what_the_published_graph_makes(published):
    golden = np.load(GOLDEN)
    for samples, log_mel in zip(golden["samples"], golden["log_mel"], strict=True):
        _, _, theirs = published(to_float(samples[:PATCH_SAMPLES]))
        assert relative_error(log_mel, theirs.numpy()[:96]) <= 1e-6


def test_embeddings_equal_the_published_graph(published, rebuilt):
    """On a whole 1-s chunk the published model returns two embeddings; ours is the first."""
    samples = sounds()
    embedder = open_embedder(rebuilt)
    for chunk in to_float(samples):
        _, theirs, _ = published(chunk)
        assert theirs.shape[0] == 2
        assert relative_error(embedder(chunk)[:1024], theirs.numpy()[0]) <= TOLERANCE


def test_embeddings_of_real_clips_equal_the_published_graph(published, rebuilt, real_sounds):
    files = sorted((real_sounds / "FSD50K.eval_audio").iterdir())[::60]
    assert len(files) > 5
    embedder = open_embedder(rebuilt)
    for file in files:
        chunk = to_float(np.resize(read_clip(file, "HQ")[:SAMPLE_RATE_HZ], SAMPLE_RATE_HZ))
        _, theirs, _ = published(chunk)
        assert relative_error(embedder(chunk)[:1024], theirs.numpy()[0]) <= TOLERANCE


def test_backbone_has_the_published_number_of_parameters():
    assert build_yamnet().count_params() == 3_217_344


def test_rebuilt_weights_are_the_same_bytes_every_time(
    backbone, yamnet_savedmodel, rebuilt, tmp_path
):
    again = obtain(backbone, settings(str(yamnet_savedmodel)), synthetic=False, folder=tmp_path)
    assert again.trained
    assert again.handle == yamnet_savedmodel.name
    for name in ("backbone.weights.h5", "yamnet.json"):
        assert (tmp_path / name).read_bytes() == (rebuilt / name).read_bytes()


def test_loaded_backbone_computes_what_the_rebuilt_one_does(backbone, rebuilt):
    patch = LogMel()(to_float(sounds()))
    first, second = (
        load_pretrained(backbone, rebuilt)(patch),
        load_pretrained(backbone, rebuilt)(patch),
    )
    np.testing.assert_array_equal(first, second)
    assert float(np.std(first)) > 0
