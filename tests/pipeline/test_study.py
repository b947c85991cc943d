"""More seeds and the ingredients of plus: a stage each, run bit by bit."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

FILES = ("dropout-1.json", "dropout-1.resampled.csv")


@pytest.fixture
def clone(finished) -> Iterator[Any]:
    """The finished one, whose own results are put back."""
    changed = [finished.root / name for name in ("params.yaml", "dvc.lock")]
    before = [path.read_bytes() for path in changed]
    yield finished
    for path, content in zip(changed, before, strict=True):
        path.write_bytes(content)
    shutil.rmtree(finished.root / "metrics" / "demo" / "study")


def test_one_model_and_seed_at_a_time(clone):
    clone.edit("params.yaml", "  seeds: [] #", "  seeds: [2, 3] #")
    clone.edit("params.yaml", "ingredient_seeds: [] #", "ingredient_seeds: [1] #")
    wanted = ("repeat@yamnet-projection-2", "ingredient@dropout-1")
    output = clone.run("dvc", "repro", *wanted)
    for stage in wanted:
        assert f"Running stage '{stage}'" in output
    assert "-3'" not in output
    study = clone.root / "metrics" / "demo" / "study"
    again = json.loads((study / "yamnet-projection-2.json").read_text())
    assert (again["model"], again["seed"]) == ("yamnet-projection", 2)
    clone.stage("repeat", "yamnet-projection", "4")
    other = json.loads((study / "yamnet-projection-4.json").read_text())
    assert again["parameters"] == other["parameters"]
    assert again["mAP"] != other["mAP"]
    step = json.loads((study / "dropout-1.json").read_text())
    assert (step["after"], step["change"]) == ("rectified", "dropout of 0.65")
    before = [(study / name).read_bytes() for name in FILES]
    clone.stage("repeat", "dropout", "1")
    assert [(study / name).read_bytes() for name in FILES] == before
    output = clone.stage("repeat", "lean", "2", fails=True)
    assert "error: model: 'lean' is not one of yamnet, " in output
