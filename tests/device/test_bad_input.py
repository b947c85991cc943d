"""Bad input to the command line: one sentence, an exit code, and the rest goes on."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import lean_audio


def test_one_bad_file_is_reported_and_the_rest_go_on(capsysbinary, shipped, sound, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_text("not audio")
    done = lean_audio(capsysbinary, "predict", bad, sound, "--model", shipped, code=1)
    assert done.complaint.startswith(f"error: {bad}: unreadable")
    assert "noise.wav" in done.text


def bad_inputs(folder: Path) -> dict[str, tuple[tuple, bytes, str]]:
    """name -> arguments, standard input, what the sentence must say."""
    (folder / "text.wav").write_text("not audio")
    soundfile.write(folder / "empty.wav", np.empty(0), 16_000)
    soundfile.write(folder / "nan.wav", np.full(100, np.nan, "f4"), 16_000, subtype="FLOAT")
    (folder / "junk.tflite").write_bytes(b"junk")
    (folder / "none").mkdir()
    return {
        "not audio": ((folder / "text.wav",), b"", "unreadable"),
        "zero samples": ((folder / "empty.wav",), b"", "no samples"),
        "NaN": ((folder / "nan.wav",), b"", "NaN"),
        "no such file": ((folder / "gone.wav",), b"", "gone.wav"),
        "no sound in the directory": ((folder / "none",), b"", "no sound in this directory"),
        "not a model": (("x.wav", "--model", folder / "junk.tflite"), b"", "no LEAN metadata"),
        "no model": (("x.wav", "--model", folder / "gone.tflite"), b"", "no such model file"),
        "format": (("x.wav", "--format", "xml"), b"", "invalid choice: 'xml'"),
        "threshold": (("x.wav", "--threshold", "2"), b"", "from 0 to 1"),
        "top": (("x.wav", "--top", "0"), b"", "positive integer"),
        "stdin without a rate": (("-",), b"", "--rate"),
        "stdin without samples": (("-", "--rate", "16000"), b"", "no samples"),
        "rate": (("-", "--rate", "9" * 12), b"", "above 768000"),
        "plot of a stream": (("-", "--rate", "8000", "--plot", "x.png"), b"", "--plot"),
        "channel": (("x.wav", "--channel", "0"), b"", "not mix, split or a channel's number"),
        "aggregate": (("x.wav", "--aggregate", "median"), b"", "invalid choice: 'median'"),
    }


@pytest.mark.parametrize("case", range(16))
def test_bad_input_is_one_sentence_and_exit_code_2(capsysbinary, shipped, tmp_path, case):
    arguments, stdin, says = list(bad_inputs(tmp_path).values())[case]
    if "--model" not in arguments:
        arguments = (*arguments, "--model", shipped)
    text = lean_audio(capsysbinary, "predict", *arguments, stdin=stdin, code=2).complaint
    assert says in text
    assert text.startswith("usage: ") or (text.startswith("error: ") and text.count("\n") == 1)


def test_a_model_without_metadata_is_refused(capsysbinary, lean):
    done = lean_audio(capsysbinary, "info", lean.bare, code=2)
    assert "has no LEAN metadata" in done.complaint
