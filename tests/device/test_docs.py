"""What docs/device.md states about the file is true, and its Python lines run."""

import re
import subprocess
import sys

import numpy as np
import soundfile
from ai_edge_litert.interpreter import Interpreter
from device_models import LABELS
from helpers import ROOT

TEXT = (ROOT / "docs" / "device.md").read_text()


def test_the_table_of_tensors_is_that_of_the_file(shipped):
    stated = re.findall(r"^\| (input|output) \| `(\w+)` \| \[1, (\w+)\] \| (\w+) ", TEXT, re.M)
    interpreter = Interpreter(str(shipped))
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert stated == [
        ("input", given["name"], str(given["shape"][1]), given["dtype"].__name__),
        ("output", made["name"], "labels", made["dtype"].__name__),
    ]
    assert made["shape"].tolist() == [1, len(LABELS)]
    assert list(interpreter.get_signature_list()) == ["serving_default"]
    assert "The signature is `serving_default`" in TEXT


def test_every_platform_uses_the_stated_shape():
    blocks = dict(re.findall(r"```(python|kotlin|swift|cpp)\n(.*?)```", TEXT, re.S))
    assert set(blocks) == {"python", "kotlin", "swift", "cpp"}
    for code in blocks.values():
        assert re.search("16_?000", code)


def test_the_python_lines_run(shipped, tmp_path):
    check, tag, ours = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    (tmp_path / "lean.tflite").write_bytes(shipped.read_bytes())
    sound = np.random.default_rng(0).normal(0, 0.1, 9000)
    soundfile.write(tmp_path / "sound.wav", sound, 16_000)
    checked, done, rows = (
        subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        for code in (check, tag, ours)
    )
    assert not checked.stdout
    label, score = done.stdout.split()
    assert label in LABELS
    assert 0 <= float(score) <= 1
    assert [row.split()[-1] in LABELS for row in rows.stdout.splitlines()[-1:]] == [True]
