"""How every stage starts and ends, whatever the environment it finds."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

from lean_audio.metrics.rounding import rounded


def start(*command: str, cwd: Path = ROOT, **environment: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KERAS")}
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=cwd,
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
    program = "import lean_audio.quiet_keras; from keras import config as c; "
    program += "print(c.floatx(), c.image_data_format(), c.backend())"
    output, _ = start("-c", program, HOME=str(tmp_path)).communicate()
    assert output.splitlines()[-1] == "float32 channels_last tensorflow"


@pytest.mark.parametrize("name", ["torch", "theano"])
def test_a_backend_that_is_not_there_is_one_sentence(name):
    process = start("-m", "stages.train", "--model", "plus", "--seed", "1", KERAS_BACKEND=name)
    output, _ = process.communicate()
    assert process.returncode == 1
    assert output.startswith(f"error: KERAS_BACKEND is '{name}'") and output.count("\n") == 1


@pytest.mark.parametrize("link", ["data", "models/demo"])
def test_a_link_to_another_disk_is_refused_before_any_work(tmp_path, link):
    """DVC itself fails once the stage has done its work."""
    for name in ("project", "scratch"):
        (tmp_path / name).mkdir()
    (tmp_path / "project" / link).parent.mkdir(exist_ok=True)
    (tmp_path / "project" / link).symlink_to(tmp_path / "scratch")
    command = ("-m", "stages.download", "--dataset", "demo")
    process = start(*command, cwd=tmp_path / "project", PYTHONPATH=str(ROOT), DVC_STAGE="download")
    output, _ = process.communicate()
    assert process.returncode == 1
    assert output == (
        f"error: {link} is a symbolic link to {tmp_path / 'scratch'}: DVC cannot keep files "
        "outside the project; move the whole project to that disk\n"
    )
    assert not list((tmp_path / "scratch").iterdir())


def test_ctrl_c_while_libraries_are_imported_is_one_line(tmp_path):
    """A Keras that never finishes its import stands for the seconds of the real one."""
    (tmp_path / "keras.py").write_text(
        "import time\nprint('importing', flush=True)\ntime.sleep(60)"
    )
    command = ("-m", "stages.train", "--model", "plus", "--seed", "1")
    process = start(*command, PYTHONPATH=str(tmp_path))
    assert process.stdout and process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    assert process.returncode == -signal.SIGINT
    assert output == "interrupted: run the same command again to go on\n"


def test_a_log_gets_lines_and_a_finished_bar_leaves_none():
    program = """
import time
import lean_audio.screen as screen
screen.LOG_INTERVAL_S = 0.2
for _ in screen.progress(range(5), "work", 5): time.sleep(0.1)
"""
    output, _ = start("-c", program).communicate()
    lines = output.splitlines()
    assert lines and all(line.startswith("work: ") for line in lines)
    assert "\r" not in output and output.endswith("\n")


def test_results_have_four_decimals():
    import pandas as pd

    content = {"mAP": 0.123456, "interval": (-0.00001, 1.0), "clips": 3, "name": None}
    assert rounded(content) == {"mAP": 0.1235, "interval": [0.0, 1.0], "clips": 3, "name": None}
    assert json.dumps(rounded(-0.00001)) == "0.0"
    table = pd.DataFrame({"label": ["Bark"], "AP": [-0.00001], "clips": [0], "AUC": [None]})
    text = rounded(table).assign(chosen=False).to_csv(index=False, lineterminator="\n")
    assert text == "label,AP,clips,AUC,chosen\nBark,0.0,0,,False\n"
