"""Every file under the last tflite-runtime: the same scores, or refused with its own message."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from device_models import write
from test_files import MIXED, run

from lean_audio.device.recipes import BASE
from lean_audio.tflite.card import read_card

PYTHON, PACKAGES = "3.11", ("tflite-runtime==2.14.0", "numpy<2")
# scheme -> largest difference; integers in convolutions alone are computed right, rounded otherwise
RUNS = {"float32": 1e-4, "float16": 1e-4, "weight_only_int8": 1e-4, "convolutions": 0.02}
CODE = """
import json, sys, numpy as np
from tflite_runtime.interpreter import Interpreter
found = {}
for path in sys.argv[2:]:
    try:
        interpreter = Interpreter(path)
        interpreter.allocate_tensors()
        tag = interpreter.get_signature_runner("serving_default")
        waves = np.load(sys.argv[1])
        found[path] = [tag(waveform=wave[None])["scores"][0].tolist() for wave in waves]
    except (ValueError, RuntimeError) as error:
        found[path] = str(error)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def old_python(tmp_path_factory):
    """An interpreter with the old runtime, in an environment of its own."""
    if not (uv := shutil.which("uv")):
        pytest.skip("no uv to make an environment with the old runtime")
    folder = tmp_path_factory.mktemp("old") / "venv"
    python = folder / "bin" / "python"
    for command in (
        [uv, "venv", "--quiet", "--python", PYTHON, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), *PACKAGES],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no {PACKAGES[0]} here: {done.stderr.strip()[-300:]}")
    return python


@pytest.mark.specialist
def test_no_file_computes_something_else_under_2_14(lean, old_python, tmp_path):
    mixes = MIXED | {"convolutions": BASE | {"pointwise 13": "dynamic"}}
    del mixes["full_int8"], mixes["patch_int16"]  # LEAN has none
    waves = tmp_path / "waves.npy"
    np.save(waves, lean.waveforms)
    files = {
        scheme: write(lean.bare, tmp_path / f"{scheme}.tflite", scheme, mix)
        for scheme, mix in mixes.items()
    }
    command = [old_python, "-c", CODE, waves, *files.values()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    for scheme, path in files.items():
        _, card = read_card(path)
        needs = tuple(map(int, card["least_runtime"].split(".")))
        scores = found[str(path)]
        if needs > (2, 14, 0):
            assert scheme not in RUNS
            assert "Didn't find op for builtin opcode" in scores, scheme
        else:
            assert scheme in RUNS
            ours = run(path, lean.waveforms)
            np.testing.assert_allclose(scores, ours, atol=RUNS[scheme], rtol=0, err_msg=scheme)
