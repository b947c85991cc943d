"""Log-mel and embeddings against the graph Google published."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub

from lean_audio.audio.decode import SAMPLE_RATE_HZ, read_clip, to_float, to_int16
from lean_audio.backbones.base import FEATURES_FILE, PROVENANCE_FILE, WEIGHTS_FILE
from lean_audio.backbones.export import write_embedder
from lean_audio.backbones.logmel import PATCH_SAMPLES, LogMel, hann_window, mel_weights
from lean_audio.backbones.weights import load_pretrained, prepare_weights
from lean_audio.backbones.yamnet import build_yamnet
from lean_audio.config.schema import Yamnet
from lean_audio.features.embed import open_embedder
from lean_audio.files import read_json, sha256

GOLDEN = Path(__file__).with_name("golden_log_mel.npz")
TOLERANCE = 1e-4  # relative
# Far from a loud tone without any noise there is only the rounding of the window's 32-bit floats,
# and the two implementations round differently.
PURE_TONE_TOLERANCE = 1e-3


def settings(source: Path) -> Yamnet:
    return Yamnet(source=str(source), hub_url="https://localhost:9/none")


@pytest.fixture(scope="module")
def published(yamnet_savedmodel):
    return hub.load(str(yamnet_savedmodel))


@pytest.fixture(scope="module")
def rebuilt(backbone, yamnet_savedmodel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("yamnet")
    prepare_weights(backbone, settings(yamnet_savedmodel), synthetic=False, folder=folder)
    write_embedder(backbone, folder, folder, ["pointwise_12_relu"], mean_normalization=False)
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
    again = prepare_weights(backbone, settings(yamnet_savedmodel), synthetic=False, folder=tmp_path)
    assert again.trained
    assert again.handle == yamnet_savedmodel.name
    for name in (WEIGHTS_FILE, PROVENANCE_FILE):
        assert (tmp_path / name).read_bytes() == (rebuilt / name).read_bytes()


def test_the_embedder_says_what_it_outputs_and_rests_on(rebuilt):
    about = read_json(rebuilt / FEATURES_FILE)
    assert about == {
        "weights_sha256": sha256(rebuilt / WEIGHTS_FILE),
        "mean_normalization": False,
        "widths": {"embedding": 1024, "pointwise_12_relu": 1024},
    }
    features = open_embedder(rebuilt)(to_float(sounds()[0]))
    assert features.shape == (sum(about["widths"].values()),)


def test_stored_weights_compute_what_the_savedmodels_do(backbone, yamnet_savedmodel, rebuilt):
    patch = LogMel()(to_float(sounds()))
    filled = backbone.build()
    backbone.load(filled, yamnet_savedmodel)
    expected = filled(patch)
    np.testing.assert_array_equal(load_pretrained(backbone, rebuilt)(patch), expected)
    assert float(np.std(expected)) > 0
