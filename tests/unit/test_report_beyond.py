"""Beyond the paper: means and intervals over seeds, paired differences, ingredients."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_data import change_json, make_run, pages, write_variant
from scipy import stats

from lean_audio.average_precision import mean_average_precision
from lean_audio.bootstrap import resampled_map
from lean_audio.errors import LeanError
from lean_audio.report_beyond import LEAN, beyond, difference, mean_with_interval, read_models

METRICS = {"mAUC": 0.9, "d_prime": 1.8, "d_prime_per_class": 1.9, "lwlrap": 0.6}


def cost(size: int, ms: float, backbone_ms: float) -> str:
    times = {"latency": ms, "backbone_latency": backbone_ms}
    times = {name: {"1": {"median_ms": value, "p95_ms": value}} for name, value in times.items()}
    return json.dumps({"bytes": size, **times})


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
    (folder / "study" / f"{LEAN}.cost.json").write_text(cost(3000, 5.0, 2.5))
    (folder / "study" / "rectified.cost.json").write_text(cost(1500, 6.0, 4.0))
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
    halves = [stats.t.ppf(0.975, 1) * 0.01, stats.t.ppf(0.975, 2) * 0.02 / np.sqrt(3)]
    assert found["gap"] - found["low"] == pytest.approx(np.linalg.norm(halves))
    assert found["high"] - found["gap"] == pytest.approx(np.linalg.norm(halves))
    assert found["real"] is None  # two seeds are too few


def test_a_difference_is_real_from_three_seeds_on_where_its_interval_leaves_out_0(metrics_dir):
    add(metrics_dir, "plus", 3, 0.73, 4_000_000, after="rectified", change="four layers")
    for mean_ap, seed in ((0.51, 1), (0.53, 2), (0.55, 3)):
        add(metrics_dir, "close", seed, mean_ap, 4_000_000, after=LEAN, change="nothing much")
    models = read_models(metrics_dir)
    assert difference(models["plus"], models[LEAN])["real"] is True
    assert difference(models["close"], models[LEAN])["real"] is False


def test_the_bootstrap_is_centred_on_the_gap(metrics_dir):
    """Resamples repeat clips, which makes every model look better or worse than it is."""
    models = read_models(metrics_dir)
    shifted = models["rectified"].runs[0].resampled
    shifted += 0.03 + 0.01 * np.cos(np.arange(len(shifted)))
    found = difference(models["rectified"], models[LEAN])
    assert found["gap"] - found["low"] == pytest.approx(found["high"] - found["gap"], abs=2e-3)


def test_a_seed_that_is_there_twice_is_an_error(metrics_dir):
    change_json(metrics_dir / "plus.training.json", seed=2)
    with pytest.raises(LeanError, match="plus is there twice with seed 2"):
        read_models(metrics_dir)


def test_models_resampled_differently_are_an_error(metrics_dir):
    pd.DataFrame({"mAP": np.full(100, 0.5)}).to_csv(metrics_dir / "plus.resampled.csv", index=False)
    with pytest.raises(LeanError, match=r"\[100, 200\] times"):
        beyond(metrics_dir)


def test_resamples_without_a_positive_are_left_out(metrics_dir):
    path = metrics_dir / f"{LEAN}.resampled.csv"
    table = pd.read_csv(path)
    table.loc[::3, "mAP"] = np.nan
    table.to_csv(path, index=False)
    models = read_models(metrics_dir)
    assert np.isfinite(difference(models["plus"], models[LEAN])["low"])


def test_steps_have_gains_and_what_they_cost(metrics_dir):
    rectified, plus = beyond(metrics_dir)["steps"]
    assert (rectified["after"], rectified["change"]) == (LEAN, "a ReLU")
    assert rectified["gap"] == pytest.approx(0.6 - 0.52)
    assert (rectified["parameters"], rectified["bytes"]) == (-400_000, -1500)
    assert rectified["ms"] == pytest.approx((6 / 4 - 5 / 2.5) * 2.5)
    assert plus["seeds"] == "2 / 1"
    assert (plus["bytes"], plus["ms"]) == (None, None)  # not measured
    assert beyond(metrics_dir)["evaluations"] == 6


def test_pages_show_every_model_and_step_and_how_often_the_split_was_used(metrics_dir, tmp_path):
    (metrics_dir / "study" / "notes.md").write_text("Two more were scored.\n\nAnother note.\n")
    for page in pages(metrics_dir, tmp_path / "out"):
        assert "Beyond the paper" in page
        assert "6 evaluations of those shown" in page
        assert "Two more were scored." in page
        for text in ("rectified", "a ReLU", "0.7300", "+0.2100", "0.4703 to 0.5697", "yes"):
            assert text in page


def test_without_other_models_there_is_no_such_section(metrics_dir, tmp_path):
    others = [path for path in (metrics_dir / "study").iterdir() if LEAN not in path.name]
    for path in [*metrics_dir.glob("plus.*"), *others]:
        path.unlink()
    (only,) = beyond(metrics_dir)["models"]  # its seeds are worth a table
    assert (only["name"], only["mAP"]["seeds"]) == (LEAN, 3)
    for path in (metrics_dir / "study").iterdir():
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
