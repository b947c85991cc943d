"""More seeds and the ingredients of plus: a stage each, run bit by bit."""

import json

import pytest

FILES = ("dropout-1.json", "dropout-1.resampled.csv")


@pytest.mark.slow
def test_one_model_and_seed_at_a_time(make_clone):
    clone = make_clone()
    clone.edit("params.yaml", "  seeds: [] #", "  seeds: [2, 3] #")
    clone.edit("params.yaml", "ingredient_seeds: [] #", "ingredient_seeds: [1] #")
    wanted = ("evaluate@yamnet-projection", "repeat@yamnet-projection-2", "ingredient@dropout-1")
    output = clone.run("dvc", "repro", *wanted)
    for stage in wanted:
        assert f"Running stage '{stage}'" in output
    assert "-3'" not in output
    study = clone.root / "metrics" / "demo" / "study"
    again = json.loads((study / "yamnet-projection-2.json").read_text())
    first = json.loads((study.parent / "yamnet-projection.json").read_text())
    assert (again["model"], again["seed"]) == ("yamnet-projection", 2)
    assert again["parameters"] == first["parameters"]
    assert again["mAP"] != first["mAP"]
    step = json.loads((study / "dropout-1.json").read_text())
    assert (step["after"], step["change"]) == ("rectified", "dropout of one half")
    before = [(study / name).read_bytes() for name in FILES]
    clone.stage("repeat", "dropout", "1")
    assert [(study / name).read_bytes() for name in FILES] == before
    output = clone.stage("repeat", "lean", "2", fails=True)
    assert "error: model: 'lean' is not one of yamnet, " in output
