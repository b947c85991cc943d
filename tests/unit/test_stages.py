"""How every stage starts and ends, whatever the environment it finds."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from helpers import ROOT

from lean_audio.files import rounded, write_csv


def start(*command: str, **environment: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KERAS")}
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=kept | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # even if ours ignores it
    )


def test_a_users_keras_configuration_changes_no_result(tmp_path):
    (tmp_path / ".keras").mkdir()
    settings = {"floatx": "float16", "image_data_format": "channels_first", "backend": "torch"}
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(settings))
    program = "import stages; from keras import config as c; "
    program += "print(c.floatx(), c.image_data_format(), c.backend())"
    output, _ = start("-c", program, HOME=str(tmp_path)).communicate()
    assert output.splitlines()[-1] == "float32 channels_last tensorflow"


@pytest.mark.parametrize("name", ["torch", "theano"])
def test_a_backend_that_is_not_there_is_one_sentence(name):
    process = start("-m", "stages.train", "--model", "plus", "--seed", "1", KERAS_BACKEND=name)
    output, _ = process.communicate()
    assert process.returncode == 1
    assert output.startswith(f"error: KERAS_BACKEND is '{name}'") and output.count("\n") == 1


def test_ctrl_c_while_libraries_are_imported_is_one_line():
    process = start("-m", "stages.train", "--model", "none", "--seed", "1")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in output and "error" not in output


def test_results_have_four_decimals(tmp_path):
    import pandas as pd

    content = {"mAP": 0.123456, "interval": (-0.00001, 1.0), "clips": 3, "name": None}
    assert rounded(content) == {"mAP": 0.1235, "interval": [0.0, 1.0], "clips": 3, "name": None}
    assert json.dumps(rounded(-0.00001)) == "0.0"
    table = pd.DataFrame({"label": ["Bark"], "AP": [0.123456], "clips": [3], "AUC": [None]})
    write_csv(tmp_path / "classes.csv", table)
    assert (tmp_path / "classes.csv").read_text() == "label,AP,clips,AUC\nBark,0.1235,3,\n"
