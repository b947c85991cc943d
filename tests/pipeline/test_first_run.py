"""What a newcomer sees: a calm screen, a table, and whether the results were reproduced."""

import json
import os
import re
import signal
import sys

import pytest
from helpers import VARIANTS, local, runs

INTERNALS = re.compile(r"[IWE]0000 |absl|oneDNN|cuda|InitializeLog|DeprecationWarning|=====", re.I)


def test_every_stage_has_one_line_and_no_library_shows_its_internals(screen):
    assert not INTERNALS.search(screen)
    ours = [line for line in screen.splitlines() if re.search(r" \(\d+ s\)$", line)]
    names = [" ".join(line.split()[:1]) for line in ours]
    assert names.count("train") == names.count("evaluate") == len(VARIANTS)
    assert len(names) == screen.count("Running stage ")
    assert re.search(r"^train joint-bahdanau 1 +validation mAP 0\.\d{4}, best in", screen, re.M)


def test_a_rerun_is_compared_with_what_is_committed(finished):
    output = finished.run(sys.executable, "-m", "tools.verify", "--revision", "HEAD")
    assert output.splitlines()[-1] == "reproduced: 2 of 2 within 0.03"
    mean_ap = json.loads((finished.record("joint-affinity") / "metrics.json").read_text())["mAP"]
    row = f"joint-affinity-1 +{mean_ap:.4f} +{mean_ap:.4f} +\\+0\\.0000"
    assert re.search(row, output)


def test_other_results_than_the_committed_ones_are_an_exit_code(finished):
    """The commit before has those of the whole demo, not of two epochs on 60 clips."""
    output = finished.run(sys.executable, "-m", "tools.verify", "--revision", "HEAD~1", fails=True)
    assert output.splitlines()[-1].startswith("not reproduced: 0 of 2 within 0.03; joint-")


def test_what_nobody_committed_cannot_be_compared(finished):
    output = finished.run(sys.executable, "-m", "tools.verify", "--revision", "nowhere", fails=True)
    assert output.splitlines()[-1] == "nothing to compare: no training here is committed"
    assert "Traceback" not in output


def test_a_run_ends_in_a_table_a_page_and_three_commands(finished):
    lines = finished.run(sys.executable, "-m", "tools.summary").splitlines()
    assert any(re.match(r"random scores +0\.\d{4}$", line) for line in lines)
    assert "reproduced: 2 of 2 within 0.03" in lines
    (page,) = [line.split()[1] for line in lines if line.startswith("report ")]
    assert (finished.root / page).is_file()
    assert len(lines) - lines.index("next:") == 4


@pytest.mark.specialist
def test_ctrl_c_in_a_training_is_one_line(working):
    process = working.start(sys.executable, "-m", "stages.train", "--model", "plus", "--seed", "3")
    while not any(run.info.status == "RUNNING" for run in runs(local(working.root))):
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate()
    assert process.returncode
    assert output.splitlines()[-1] == "interrupted: run the same command again to go on"
    assert "Traceback" not in output
