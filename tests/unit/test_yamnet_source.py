"""Where YAMNet's weights may come from."""

from pathlib import Path

import pytest

from lean_audio.backbones.base import load_backbone, load_provenance
from lean_audio.backbones.weights import load_pretrained, obtain
from lean_audio.backbones.yamnet import BACKBONE
from lean_audio.config.schema import Yamnet
from lean_audio.errors import LeanError

UNREACHABLE = "http://127.0.0.1:9/yamnet.tar.gz"


def settings(source: str, seed: int = 1) -> Yamnet:
    return Yamnet(source=source, hub_url=UNREACHABLE, silence_s=2, deadline_s=3, seed=seed)


def test_auto_falls_back_to_untrained_weights_for_synthetic_data(tmp_path, capsys):
    provenance = obtain(BACKBONE, settings("auto"), synthetic=True, folder=tmp_path)
    assert (provenance.source, provenance.trained) == ("untrained", False)
    assert provenance.savedmodel_sha256 is None
    assert load_provenance(tmp_path) == provenance
    assert "untrained" in capsys.readouterr().err
    assert load_pretrained(BACKBONE, tmp_path).count_params() == 3_217_344


@pytest.mark.parametrize(("source", "synthetic"), [("auto", False), ("hub", True), ("hub", False)])
def test_an_unreachable_hub_is_an_error_that_says_what_to_set(tmp_path, source, synthetic):
    with pytest.raises(LeanError, match=r"set yamnet\.source") as error:
        obtain(BACKBONE, settings(source), synthetic=synthetic, folder=tmp_path)
    assert UNREACHABLE in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_path_without_a_savedmodel_is_refused(tmp_path):
    with pytest.raises(LeanError, match=r"nowhere.*auto, hub, untrained"):
        obtain(
            BACKBONE, settings(str(tmp_path / "nowhere")), synthetic=True, folder=tmp_path / "out"
        )


def test_a_savedmodel_of_something_else_is_refused(tmp_path):
    import tensorflow as tf

    other = tf.Module()
    other.weight = tf.Variable(1.0)
    tf.saved_model.save(other, str(tmp_path / "other"))
    with pytest.raises(LeanError, match="other is not YAMNet's SavedModel"):
        obtain(
            BACKBONE, settings(str(tmp_path / "other")), synthetic=False, folder=tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_untrained_weights_follow_the_seed(tmp_path):
    seeds = {"a": 1, "b": 1, "c": 2}
    hashes = {
        name: obtain(BACKBONE, settings("untrained", seed), synthetic=False, folder=tmp_path / name)
        for name, seed in seeds.items()
    }
    assert hashes["a"] == hashes["b"]
    assert hashes["a"].parameters == BACKBONE.build().count_params()
    assert hashes["a"].weights_sha256 != hashes["c"].weights_sha256


@pytest.mark.parametrize(
    "path",
    ["nowhere.py", "../nowhere.py", "/etc/passwd", "lean_audio/audio/decode.py", "README.md"],
)
def test_a_file_without_a_backbone_is_refused(path):
    with pytest.raises(LeanError, match=rf"backbone: {path} is not a Python file .* BACKBONE"):
        load_backbone(Path(path), mean_normalization=False)
