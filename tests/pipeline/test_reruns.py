"""Which change re-runs which stages, as `dvc repro --dry` lists them."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile


def changed(clone) -> list[str]:
    """Stages whose own dependencies, parameters or command changed."""
    status = clone.run("dvc", "status", "dvc.yaml", "datasets/demo/dvc.yaml")
    return re.findall(r"^(\S+):$", status, re.MULTILINE)


def edit(file: str, old: str, new: str) -> Callable:
    return lambda clone: clone.edit(file, old, new)


def what_the_demo_does_not_use(clone) -> None:
    soundfile.write(clone.root / "sounds" / "new.wav", np.zeros(1000), 16_000)
    clone.edit("datasets/fsd50k/params.yaml", "base_url: https", "base_url: http")
    clone.edit("params.yaml", "workers: 0", "workers: 1")


TRAINS = re.compile(r"(train|evaluate)@")
CASES = {
    "a model's caption": (
        edit(
            "models.yaml",
            "  joint-bahdanau: # LEAN\n",
            "  joint-bahdanau:\n    after: joint-none\n",
        ),
        ["report"],
    ),
    "a comment in models.yaml": (edit("models.yaml", "# LEAN\n", "# our own LEAN\n"), ["report"]),
    "the hop of the evaluation": (
        edit("params.yaml", "eval: 0.5", "eval: 1.0"),
        ["prepare", "quantize"],
    ),
    "bootstrap draws": (
        edit("params.yaml", "resamples: 50", "resamples: 60"),
        [
            *(
                "evaluate@joint-affinity-1",
                "evaluate@joint-bahdanau-1",
                "evaluate_device",
                "review",
                "report",
            ),
        ],
    ),
    "a clip in sounds/, FSD50K's mirror and workers, for the demo": (
        what_the_demo_does_not_use,
        [],
    ),
    "a front-end switch": (
        edit("params.yaml", "mean_normalization: false", "mean_normalization: true"),
        ["embedder"],
    ),
    "what may be shipped": (
        edit("params.yaml", "max_drop: 0.002", "max_drop: 0.01"),
        ["evaluate_device"],
    ),
    "another attention": (
        edit("params.yaml", "attention: bahdanau", "attention: affinity"),
        ["headline", "report"],  # and what is made of the headline after them
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change_marks_the_stages_it_can_change(module_copy, case):
    """`dvc status` names the stages that a change reaches directly."""
    change, expected = CASES[case]
    before = {
        name: (module_copy.root / name).read_bytes() for name in ("params.yaml", "models.yaml")
    }
    try:
        change(module_copy)
        assert set(changed(module_copy)) == set(expected)
    finally:
        for name, content in before.items():
            (module_copy.root / name).write_bytes(content)
        (module_copy.root / "sounds" / "new.wav").unlink(missing_ok=True)


def test_what_is_computed_for_the_evaluation_trains_nothing(working):
    """The features of the training and validation clips have the bytes they had."""
    working.edit("params.yaml", "eval: 0.5", "eval: 1.0")
    output = working.run("dvc", "repro", "evaluate@joint-affinity-1")
    ran = re.findall(r"Running stage '(\S+)'", output)
    assert ran == ["prepare", "embed", "evaluate@joint-affinity-1"]


def test_a_new_variant_runs_its_own_training_and_nothing_of_the_others(module_copy):
    before = (module_copy.root / "params.yaml").read_bytes()
    try:
        module_copy.edit("params.yaml", "  - joint-bahdanau\n", "  - joint-bahdanau\n  - plus\n")
        assert set(changed(module_copy)) == {"train@plus-1", "evaluate@plus-1", "report"}
    finally:
        (module_copy.root / "params.yaml").write_bytes(before)


def test_a_model_alone_needs_no_other_one(make_clone):
    clone = make_clone()
    clone.edit("params.yaml", "headline: joint #", "headline: joint-affinity #")
    clone.edit("params.yaml", "  - joint-bahdanau\n", "")
    graph = clone.run("dvc", "dag", "--dot", "evaluate_device")
    stages = set(re.findall(r'"([^"]+)"', graph))
    assert {name for name in stages if TRAINS.match(name)} == {
        *("train@joint-affinity-1", "evaluate@joint-affinity-1")
    }
    assert {"quantize", "prepare", "datasets/demo/dvc.yaml:download"} <= stages


def test_no_stage_re_runs_for_files_of_editors(module_copy):
    for name in (".swp", "x.swp", ".ipynb_checkpoints/y.py", "__pycache__/z.pyc"):
        path = Path(module_copy.root / "lean_audio" / "audio" / name)
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert changed(module_copy) == []
