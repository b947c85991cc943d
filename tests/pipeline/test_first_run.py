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


def verify(clone, revision: str = "HEAD", *, fails: bool = False) -> str:
    return clone.run(sys.executable, "-m", "tools.verify", "--revision", revision, fails=fails)


def test_results_are_compared_with_what_is_committed(finished):
    output = verify(finished)
    assert output.splitlines()[-1] == "reproduced: 2 of 2 within 0.03"
    mean_ap = json.loads((finished.record("joint-affinity") / "metrics.json").read_text())["mAP"]
    assert re.search(rf"joint-affinity-1 +{mean_ap:.4f} +{mean_ap:.4f} +\+0\.0000", output)


@pytest.mark.parametrize(
    ("revision", "reason"),
    [
        ("HEAD~1", "dataset.origin is 60 synthetic clips, .* and 1200 synthetic clips"),
        ("nowhere", "git has no revision 'nowhere'"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(finished, revision, reason):
    output = verify(finished, revision, fails=True)
    assert re.fullmatch(rf"error: nothing to compare with: {reason}.*\n", output)


def test_committed_results_alone_are_not_reproduced(make_clone):
    """A fresh clone has the metrics of whoever committed them, and no weights."""
    output = verify(make_clone(), fails=True)
    assert output.splitlines()[-1].startswith("not reproduced: nothing has been trained here")


def test_a_run_ends_in_a_table_a_page_and_what_to_try_next(finished):
    """`make repro` once more: nothing is left to do."""
    lines = finished.run("make", "--silent", "--old-file", "setup", "repro").splitlines()
    assert not any(re.match("Running stage|Stage |Use `dvc push`|> ", line) for line in lines)
    assert any(re.match(r"random scores +0\.\d{4}$", line) for line in lines)
    assert "reproduced: 2 of 2 within 0.03" in lines
    (page,) = [line.split()[1] for line in lines if line.startswith("report ")]
    assert (finished.root / page).is_file()
    assert len(lines) - lines.index("next:") == 5


def test_a_stage_that_fails_is_named(make_clone):
    clone = make_clone()
    clone.edit("params.yaml", "attention: bahdanau", "attention: nothing")
    output = clone.run("make", "--silent", "--old-file", "setup", "repro", fails=True)
    assert "error: params.yaml: attention: 'nothing'" in output
    assert "failed to reproduce 'prepare'" in output


@pytest.mark.specialist
def test_a_training_that_rounds_differently_is_reproduced(working):
    """TensorFlow without oneDNN stands for another processor."""
    working.environment["TF_ENABLE_ONEDNN_OPTS"] = "0"
    model = ("--model", "joint-affinity", "--seed", "1")
    before = working.hashes()["models/demo/heads/joint-affinity-1"]
    working.run("dvc", "repro", "--force", "--single-item", "train@joint-affinity-1")
    working.stage("evaluate", *model)
    assert working.hashes()["models/demo/heads/joint-affinity-1"] != before
    assert verify(working).splitlines()[-1] == "reproduced: 2 of 2 within 0.03"


def trained_epochs(run) -> bool:
    return run.info.status == "RUNNING" and "val_mAP" in run.data.metrics


@pytest.mark.specialist
def test_ctrl_c_in_a_training_is_one_line(working):
    working.edit("datasets/demo/params.yaml", "{epochs: 2,", "{epochs: 9999,")
    process = working.start(sys.executable, "-m", "stages.train", "--model", "plus", "--seed", "3")
    while not any(trained_epochs(run) for run in runs(local(working.root))):
        assert process.poll() is None  # before its first epoch, a library may swallow the signal
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate()
    assert process.returncode
    assert output.splitlines()[-1] == "interrupted: run the same command again to go on"
    assert "Traceback" not in output
