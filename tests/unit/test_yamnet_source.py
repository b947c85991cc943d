"""Where the backbone's weights may come from, and when random ones take their place."""

import hashlib
import json
from pathlib import Path

import pytest

from docs.small_backbone import BACKBONE as SMALL
from lean_audio.backbones.base import PROVENANCE_FILE, load_backbone, load_provenance
from lean_audio.backbones.weights import load_pretrained, prepare_weights
from lean_audio.backbones.yamnet import BACKBONE
from lean_audio.config.schema import Yamnet
from lean_audio.errors import LeanError

UNREACHABLE = "http://127.0.0.1:9/yamnet.tar.gz"


def settings(source: str) -> Yamnet:
    return Yamnet(source=source, hub_url=UNREACHABLE)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def trained(tmp_path) -> Path:
    """Weights that came from a directory, as stage weights stores them."""
    model, source = SMALL.build(), tmp_path / "source"
    source.mkdir()
    model.save_weights(source / "small.weights.h5")
    folder = tmp_path / "weights"
    assert prepare_weights(SMALL, settings(str(source)), synthetic=False, folder=folder).trained
    return folder


def test_auto_falls_back_to_untrained_weights_for_synthetic_data(tmp_path, capsys):
    provenance = prepare_weights(BACKBONE, settings("auto"), synthetic=True, folder=tmp_path)
    assert (provenance.source, provenance.trained) == ("untrained", False)
    assert provenance.savedmodel_sha256 is None
    assert load_provenance(tmp_path) == provenance
    assert "untrained" in capsys.readouterr().err
    assert load_pretrained(BACKBONE, tmp_path).count_params() == 3_217_344


@pytest.mark.parametrize(("source", "synthetic"), [("auto", False), ("hub", True), ("hub", False)])
def test_an_unreachable_hub_is_an_error_that_says_what_to_set(tmp_path, source, synthetic):
    with pytest.raises(LeanError, match=r"set yamnet\.source") as error:
        prepare_weights(SMALL, settings(source), synthetic=synthetic, folder=tmp_path)
    assert UNREACHABLE in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_swept_cache_of_the_hub_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    swept = tmp_path / "cache" / hashlib.sha1(UNREACHABLE.encode()).hexdigest()  # noqa: S324
    (swept / "variables").mkdir(parents=True)
    with pytest.raises(LeanError, match=rf"copy in {swept} is incomplete: delete this directory"):
        prepare_weights(SMALL, settings("hub"), synthetic=True, folder=tmp_path / "weights")


def test_auto_never_replaces_trained_weights_by_random_ones(trained):
    before = contents(trained)
    with pytest.raises(LeanError, match=r"'auto' cannot reach TF-Hub, and .*weights has trained"):
        prepare_weights(SMALL, settings("auto"), synthetic=True, folder=trained)
    assert contents(trained) == before


def test_trained_weights_are_replaced_by_random_ones_when_asked_by_name(trained):
    before = contents(trained)
    found = prepare_weights(SMALL, settings("untrained"), synthetic=True, folder=trained)
    assert not found.trained
    assert load_provenance(trained) == found
    after = contents(trained)
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in before)


def test_auto_draws_random_weights_again_where_there_are_no_better_ones(trained):
    prepare_weights(SMALL, settings("untrained"), synthetic=True, folder=trained)
    assert not prepare_weights(SMALL, settings("auto"), synthetic=True, folder=trained).trained


def test_a_path_without_a_savedmodel_is_refused(tmp_path):
    nowhere = settings(str(tmp_path / "nowhere"))
    with pytest.raises(LeanError, match=r"nowhere.*auto, hub, untrained"):
        prepare_weights(SMALL, nowhere, synthetic=True, folder=tmp_path / "out")


def test_a_savedmodel_of_something_else_is_refused(tmp_path):
    import tensorflow as tf

    other = tf.Module()
    other.weight = tf.Variable(1.0)
    tf.saved_model.save(other, str(tmp_path / "other"))
    wrong = settings(str(tmp_path / "other"))
    with pytest.raises(LeanError, match="other is not YAMNet's SavedModel"):
        prepare_weights(BACKBONE, wrong, synthetic=False, folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_untrained_weights_are_the_same_every_time(tmp_path):
    first, second = (
        prepare_weights(BACKBONE, settings("untrained"), synthetic=False, folder=tmp_path / name)
        for name in "ab"
    )
    assert first == second
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert first.parameters == BACKBONE.build().count_params()
    assert json.loads((tmp_path / "a" / PROVENANCE_FILE).read_text())["handle"] == "seed 1"


@pytest.mark.parametrize(
    "path",
    ["nowhere.py", "../nowhere.py", "/etc/passwd", "lean_audio/audio/decode.py", "README.md"],
)
def test_a_file_without_a_backbone_is_refused(path):
    with pytest.raises(LeanError, match=rf"backbone: {path} is not a Python file .* BACKBONE"):
        load_backbone(Path(path), mean_normalization=False)
