"""Beyond the paper: means and intervals over seeds, paired differences, ingredients."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_data import change_json, make_run, pages, write_variant
from scipy import stats

from lean_audio.bootstrap import resampled_map
from lean_audio.metrics import mean_average_precision
from lean_audio.report_beyond import LEAN, beyond, difference, mean_with_interval, read_models

METRICS = {"mAUC": 0.9, "d_prime": 1.8, "d_prime_per_class": 1.9, "lwlrap": 0.6}
COST = {"bytes": 1000, "latency": {"1": {"median_ms": 2.5, "p95_ms": 3.0}}}


@pytest.fixture
def metrics_dir(tmp_path) -> Path:
    """The paper's five, plus after `rectified` after LEAN; LEAN with three seeds, plus with two."""
    folder = make_run(tmp_path / "run", "folder", synthetic=False, trained=True)
    change_json(folder / "yamnet.json", mAP=0.5)
    template = json.loads((folder / "yamnet.json").read_text())
    training = json.loads((folder / "yamnet.training.json").read_text())
    write_variant(folder, "plus", template | {"mAP": 0.72, "parameters": 4_000_000}, like="yamnet")
    change_json(folder / f"{LEAN}.json", mAP=0.5, parameters=4_500_000)
    for name, mean in ((LEAN, 0.5), ("plus", 0.72)):
        about = {"after": "rectified", "change": "four layers"} if name == "plus" else {}
        (folder / f"{name}.training.json").write_text(json.dumps(training | about))
        write_resampled(folder / f"{name}.resampled.csv", mean)
    add(folder, LEAN, 2, 0.52, 4_500_000)
    add(folder, LEAN, 3, 0.54, 4_500_000)
    add(folder, "plus", 2, 0.74, 4_000_000, after="rectified", change="four layers")
    add(folder, "rectified", 1, 0.6, 4_100_000, after=LEAN, change="a ReLU")
    for name, size in ((LEAN, 3000), ("rectified", 1500)):
        cost = COST | {"bytes": size}
        (folder / "study" / f"{name}.cost.json").write_text(json.dumps(cost))
    return folder


def write_resampled(path: Path, mean: float) -> None:
    """The same ups and downs for every model."""
    moves = 0.05 * np.sin(np.arange(200))
    pd.DataFrame({"mAP": mean + moves}).to_csv(path, index=False)


def add(folder: Path, model: str, seed: int, mean_ap: float, parameters: int, **about) -> None:
    study = folder / "study"
    study.mkdir(exist_ok=True)
    facts = {"model": model, "seed": seed, "mAP": mean_ap, "val_mAP": mean_ap + 0.02, **METRICS}
    facts |= {"parameters": parameters, "best_epoch": 2, **about}
    (study / f"{model}-{seed}.json").write_text(json.dumps(facts))
    write_resampled(study / f"{model}-{seed}.resampled.csv", mean_ap)


def test_models_are_read_with_all_their_seeds_each_after_the_one_it_comes_from(metrics_dir):
    models = read_models(metrics_dir)
    assert list(models) == [LEAN, "rectified", "plus"]
    seeds = {name: [run.seed for run in model.runs] for name, model in models.items()}
    assert seeds == {LEAN: [1, 2, 3], "rectified": [1], "plus": [1, 2]}


def test_the_interval_over_seeds_is_students():
    values = [0.5, 0.52, 0.54]
    found = mean_with_interval(values)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (found["low"], found["high"]) == pytest.approx((low, high))
    assert mean_with_interval([0.5])["low"] is None


def test_clips_that_move_both_models_alike_do_not_widen_a_difference(metrics_dir):
    models = read_models(metrics_dir)
    found = difference(models["rectified"], models["rectified"])
    assert (found["gap"], found["low"], found["high"]) == (0, 0, 0)
    assert not found["real"]
    found = difference(models["plus"], models[LEAN])
    assert found["gap"] == pytest.approx(0.73 - 0.52)
    assert 0.17 < found["low"] < found["gap"] < found["high"] < 0.25  # what the seeds differ by
    assert found["real"]


def test_steps_have_gains_and_what_they_cost(metrics_dir):
    rectified, plus = beyond(metrics_dir)["steps"]
    assert (rectified["after"], rectified["change"]) == (LEAN, "a ReLU")
    assert rectified["gap"] == pytest.approx(0.6 - 0.52)
    assert (rectified["parameters"], rectified["bytes"], rectified["ms"]) == (-400_000, -1500, 0)
    assert plus["seeds"] == "2 / 1"
    assert (plus["bytes"], plus["ms"]) == (None, None)  # not measured
    assert beyond(metrics_dir)["evaluations"] == 6


def test_pages_show_every_model_and_step_and_how_often_the_split_was_used(metrics_dir, tmp_path):
    for page in pages(metrics_dir, tmp_path / "out"):
        assert "Beyond the paper" in page
        assert "6 evaluations in all" in page
        for text in ("rectified", "a ReLU", "0.7300", "+0.2100", "0.4703 to 0.5697", "yes"):
            assert text in page


def test_without_other_models_there_is_no_such_section(metrics_dir, tmp_path):
    for path in [*metrics_dir.glob("plus.*"), *(metrics_dir / "study").iterdir()]:
        path.unlink()
    assert beyond(metrics_dir) is None
    for page in pages(metrics_dir, tmp_path / "out"):
        assert "Beyond the paper" not in page


def test_the_map_of_resamples_is_that_of_clips_drawn_as_often():
    rng = np.random.default_rng(3)
    targets = (rng.random((40, 3)) < 0.4).astype(np.uint8)
    scores = rng.random((40, 3)).astype(np.float32)
    found = resampled_map(targets, scores, 120)["mAP"]
    assert len(found) == 120
    assert found.std() > 0
    assert found.mean() == pytest.approx(mean_average_precision(targets, scores), abs=0.03)
    pd.testing.assert_series_equal(found, resampled_map(targets, scores, 120)["mAP"])
    better = resampled_map(targets, targets + scores, 120)["mAP"]
    np.testing.assert_allclose(better, 1)
    assert resampled_map(np.zeros_like(targets), scores, 5).empty
