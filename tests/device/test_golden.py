"""`lean-audio check`: the same file, another runtime or another file."""

import json
import zipfile

import numpy as np
import pytest
from command_line import lean_audio
from device_models import LABELS, write

from lean_audio.device.recipes import MIXES
from lean_audio.tflite.card import CHECKSUM_FILE
from lean_audio.tflite.golden import GOLDEN_FILE, compare_golden, golden_waveforms
from lean_audio.tflite.runtime import open_tagger


def test_a_file_passes_where_it_was_made(shipped, capsysbinary):
    done = lean_audio(capsysbinary, "check", shipped)
    assert done.text.count(": ok") == len(golden_waveforms()) == 3
    assert done.text.endswith("as where it was made\n")


def test_a_model_that_computes_something_else_fails(shipped, make_tagger, tmp_path, capsysbinary):
    """As under a runtime that computes nonsense: here the weights are another model's."""
    weights = make_tagger("joint-none").bare.read_bytes()
    path = tmp_path / "x.tflite"
    path.write_bytes(weights)
    with zipfile.ZipFile(shipped) as golden, zipfile.ZipFile(path, "a") as archive:
        for name in set(golden.namelist()) - {CHECKSUM_FILE}:  # damage is noticed before
            archive.writestr(name, golden.read(name))
    done = lean_audio(capsysbinary, "check", path, code=1)
    assert "DIFFERS" in done.text
    assert done.text.endswith("this runtime computes other scores\n")


def test_the_golden_scores_are_the_files_own_to_four_digits(shipped):
    with zipfile.ZipFile(shipped) as archive:
        golden = json.loads(archive.read(GOLDEN_FILE))
    tag = open_tagger(shipped)
    for name, wave in golden_waveforms().items():
        scores = tag((wave / 32768).astype(np.float32))
        np.testing.assert_allclose(golden["unit"] * np.array(golden[name]), scores, atol=6e-5)
        assert len(golden[name]) == len(LABELS)
    assert golden["tolerance"] == 0.001


def test_integer_arithmetic_is_allowed_more(lean, tmp_path):
    path = write(lean.bare, tmp_path / "x.tflite", "dynamic_int8", MIXES["dynamic_int8"])
    differences, tolerance = compare_golden(path, open_tagger(path))
    assert tolerance == 0.05
    assert max(differences.values()) <= 6e-5


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_a_file_without_golden_scores_is_a_sentence(shipped, tmp_path, capsysbinary, content):
    path = tmp_path / "x.tflite"
    if content is None:  # a LEAN file of an earlier version
        flatbuffer = shipped.read_bytes()
        path.write_bytes(flatbuffer[: flatbuffer.index(b"PK\x03\x04")])
    else:
        path.write_bytes(content)
    done = lean_audio(capsysbinary, "check", path, code=2)
    assert done.complaint.startswith(f"error: {path}")
    assert done.complaint.count("\n") == 1


@pytest.mark.parametrize(
    "changes", [{"unit": "x"}, {"tolerance": None}, {"noise": 5}, {"claps": ["x"] * 7}]
)
def test_golden_scores_that_were_edited_are_a_sentence(shipped, tmp_path, capsysbinary, changes):
    path = tmp_path / "x.tflite"
    path.write_bytes(shipped.read_bytes())
    with zipfile.ZipFile(shipped) as archive:
        golden = json.loads(archive.read(GOLDEN_FILE)) | changes
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr(GOLDEN_FILE, json.dumps(golden))
    assert "no golden scores" in lean_audio(capsysbinary, "check", path, code=2).complaint


def test_scores_that_are_no_numbers_differ(shipped, capsysbinary, monkeypatch):
    found = {"noise": 0.0, "claps": float("nan"), "sweep": 0.0}
    monkeypatch.setattr("lean_audio.cli.check.compare_golden", lambda *_: (found, 0.001))
    assert "computes other scores" in lean_audio(capsysbinary, "check", shipped, code=1).text


def test_a_missing_file_is_a_sentence(tmp_path, capsysbinary):
    done = lean_audio(capsysbinary, "check", tmp_path / "none.tflite", code=2)
    assert "none.tflite" in done.complaint and "Traceback" not in done.complaint
