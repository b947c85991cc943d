"""Beyond the paper: means and intervals over seeds, paired differences, ingredients."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_data import (
    DATA_SHA256,
    SETTINGS,
    SETTINGS_SHA256,
    change_json,
    make_run,
    pages,
    write_variant,
)
from scipy import stats

from lean_audio.errors import LeanError
from lean_audio.metrics.average_precision import mean_average_precision
from lean_audio.metrics.bootstrap import resampled_map
from lean_audio.report.beyond import (
    LEAN,
    SeedSpread,
    beyond,
    difference,
    mean_with_interval,
    seed_spread,
)
from lean_audio.report.study import Model, Run, read_study

METRICS = {"mAUC": 0.9, "d_prime": 1.8, "d_prime_per_class": 1.9, "lwlrap": 0.6}


def cost(size: int, ms: float, backbone_ms: float) -> str:
    times = {"latency": ms, "backbone_latency": backbone_ms}
    times = {name: {"1": {"median_ms": value, "p95_ms": value}} for name, value in times.items()}
    return json.dumps({"bytes": size, "data_sha256": DATA_SHA256, **times})


@pytest.fixture
def metrics_dir(tmp_path) -> Path:
    """The paper's five, plus after `rectified` after LEAN; LEAN with three seeds, plus with two."""
    folder = make_run(tmp_path / "run", "folder", synthetic=False, trained=True)
    change_json(folder / "yamnet.json", mAP=0.5)
    template = json.loads((folder / "yamnet.json").read_text())
    write_variant(folder, "plus", template | {"mAP": 0.72, "parameters": 4_000_000}, like="yamnet")
    change_json(folder / f"{LEAN}.json", mAP=0.5, parameters=4_500_000)
    for name, mean in ((LEAN, 0.5), ("plus", 0.72)):
        about = {"after": "rectified", "change": "four layers"} if name == "plus" else {}
        change_json(folder / f"{name}.training.json", **about)
        write_resampled(folder / f"{name}.resampled.csv", mean)
    add(folder, LEAN, 2, 0.52, 4_500_000)
    add(folder, LEAN, 3, 0.54, 4_500_000)
    add(folder, "plus", 2, 0.74, 4_000_000, after="rectified", change="four layers")
    add(folder, "rectified", 1, 0.6, 4_100_000, after=LEAN, change="a ReLU")
    (folder / "study" / f"{LEAN}.cost.json").write_text(cost(3000, 5.0, 2.5))
    (folder / "study" / "rectified.cost.json").write_text(cost(1500, 6.0, 4.0))
    return folder


def shown(folder: Path) -> Any:
    return beyond(read_study(folder, SETTINGS), folder)


def write_resampled(path: Path, mean: float) -> None:
    """The same ups and downs for every model."""
    moves = 0.05 * np.sin(np.arange(200))
    pd.DataFrame({"mAP": mean + moves}).to_csv(path, index=False)


def add(folder: Path, model: str, seed: int, mean_ap: float, parameters: int, **about) -> None:
    study = folder / "study"
    study.mkdir(exist_ok=True)
    facts = {"model": model, "seed": seed, "mAP": mean_ap, "val_mAP": mean_ap + 0.02, **METRICS}
    facts |= {"parameters": parameters, "best_epoch": 2, "data_sha256": DATA_SHA256}
    facts |= {"settings_sha256": SETTINGS_SHA256, "backend": "tensorflow", **about}
    (study / f"{model}-{seed}.json").write_text(json.dumps(facts))
    write_resampled(study / f"{model}-{seed}.resampled.csv", mean_ap)


def test_models_are_read_with_all_their_seeds_each_after_the_one_it_comes_from(metrics_dir):
    models = read_study(metrics_dir, SETTINGS).models
    assert list(models) == [LEAN, "rectified", "plus"]
    seeds = {name: [run.seed for run in model.runs] for name, model in models.items()}
    assert seeds == {LEAN: [1, 2, 3], "rectified": [1], "plus": [1, 2]}


def test_the_interval_over_seeds_is_students():
    values = [0.5, 0.52, 0.54]
    found = mean_with_interval(values)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (found["low"], found["high"]) == pytest.approx((low, high))
    assert mean_with_interval([0.5])["low"] is None


def test_the_spread_over_seeds_is_pooled_over_models(metrics_dir):
    found = seed_spread(read_study(metrics_dir, SETTINGS).models.values())
    assert found.freedom == 3  # LEAN's two, plus's one, none of rectified
    assert found.variance == pytest.approx((2 * 0.02**2 + np.var([0.72, 0.74], ddof=1)) / 3)
    assert seed_spread([Model("alone", runs=[run_of(0.5)])]) == SeedSpread(0, 0)


def test_clips_that_move_both_models_alike_do_not_widen_a_difference(metrics_dir):
    models = read_study(metrics_dir, SETTINGS).models
    spread = SeedSpread(0.01**2, 3)
    found = difference(models["plus"], models[LEAN], spread)
    assert found["gap"] == pytest.approx(0.73 - 0.52)
    half = stats.t.ppf(0.975, 3) * 0.01 * np.sqrt(1 / 2 + 1 / 3)
    assert found["gap"] - found["low"] == pytest.approx(half)
    assert found["high"] - found["gap"] == pytest.approx(half)
    assert found["real"] is None  # two seeds are too few
    alone = difference(models["plus"], models[LEAN], SeedSpread(0, 0))
    assert alone["high"] - alone["low"] == pytest.approx(0, abs=1e-12)


def run_of(mean_ap: float, resampled: np.ndarray | None = None, seed: int = 1) -> Run:
    return Run(
        seed, "tensorflow", mean_ap, mean_ap, np.zeros(2) if resampled is None else resampled
    )


@pytest.mark.parametrize(("ours", "theirs"), [(1, 1), (1, 5), (2, 3), (5, 5)])
def test_19_of_20_intervals_hold_the_true_difference(ours, theirs):
    """Drawn anew 400 times: five models that differ by seed and clips alone."""
    rng, hits = np.random.default_rng(ours * 10 + theirs), 0
    of_seeds, of_clips = 0.004, 0.004
    for _ in range(400):
        drawn = [rng.normal(0.7, of_seeds, count) for count in (ours, theirs, 5, 5, 5)]
        shift = rng.normal(0, of_clips)
        resampled = rng.normal(0, of_clips, 300)
        sides = [
            Model(name, runs=[run_of(value + move, more) for value in values])
            for name, values, move, more in (
                ("ours", drawn[0], shift, resampled),
                ("theirs", drawn[1], 0.0, np.zeros(300)),
            )
        ]
        others = [Model("other", runs=[run_of(value) for value in values]) for values in drawn[2:]]
        found = difference(*sides, seed_spread([*sides, *others]))
        hits += found["low"] < 0 < found["high"]
    assert hits / 400 == pytest.approx(0.95, abs=0.03)


def test_a_difference_is_real_from_three_seeds_on_where_its_interval_leaves_out_0(metrics_dir):
    add(metrics_dir, "plus", 3, 0.73, 4_000_000, after="rectified", change="four layers")
    for mean_ap, seed in ((0.51, 1), (0.53, 2), (0.55, 3)):
        add(metrics_dir, "close", seed, mean_ap, 4_000_000, after=LEAN, change="nothing much")
    models = read_study(metrics_dir, SETTINGS).models
    assert difference(models["plus"], models[LEAN], SeedSpread(0.01**2, 3))["real"] is True
    assert difference(models["close"], models[LEAN], SeedSpread(0.01**2, 3))["real"] is False


def test_the_bootstrap_is_centred_on_the_gap(metrics_dir):
    """Resamples repeat clips, which makes every model look better or worse than it is."""
    models = read_study(metrics_dir, SETTINGS).models
    shifted = models["rectified"].runs[0].resampled
    shifted += 0.03 + 0.01 * np.cos(np.arange(len(shifted)))
    found = difference(models["rectified"], models[LEAN], SeedSpread(0, 0))
    assert found["gap"] == pytest.approx(0.6 - 0.52)
    half = stats.norm.ppf(0.975) * np.std(0.01 * np.cos(np.arange(len(shifted))), ddof=1)
    assert (found["gap"] - found["low"], found["high"] - found["gap"]) == pytest.approx(
        (half, half)
    )


def test_the_main_training_is_taken_where_its_seed_is_there_twice(metrics_dir):
    change_json(metrics_dir / "plus.training.json", seed=2)
    (run,) = read_study(metrics_dir, SETTINGS).models["plus"].runs
    assert (run.seed, run.mean_ap) == (2, 0.72)


def test_trainings_on_other_data_are_left_out_counted_and_named(metrics_dir, tmp_path):
    (metrics_dir / "study" / "notes.md").write_text("Of the other clips.")
    for name in (f"{LEAN}-2", f"{LEAN}-3", "plus-2", "rectified-1"):
        change_json(metrics_dir / "study" / f"{name}.json", data_sha256="f" * 64)
    for model in (LEAN, "rectified"):
        change_json(metrics_dir / "study" / f"{model}.cost.json", data_sha256="f" * 64)
    study = read_study(metrics_dir, SETTINGS)
    assert {name: len(model.runs) for name, model in study.models.items()} == {LEAN: 1, "plus": 1}
    assert [model.cost for model in study.models.values()] == [None, None]
    for page in pages(metrics_dir, tmp_path / "out"):
        assert f"4 trainings ({LEAN} (seed 2), {LEAN} (seed 3), plus (seed 2), rect" in page
        assert "Of the other clips" not in page


@pytest.mark.parametrize("change", [{"data_sha256": "f" * 64}, {"settings_sha256": "0" * 64}])
def test_a_model_that_this_run_did_not_train_is_nowhere_in_the_report(
    metrics_dir, tmp_path, change
):
    """As committed results of `plus` beside a run on other clips."""
    change_json(metrics_dir / "plus.training.json", **change)
    change_json(metrics_dir / "study" / "plus-2.json", **change)
    markdown, page = pages(metrics_dir, tmp_path / "out")
    for text in (markdown, page):
        assert "2 trainings (plus (seed 1), plus (seed 2))" in text
        assert text.count("plus") == 2  # there alone


def test_a_model_that_params_do_not_have_is_nowhere_in_the_report(
    metrics_dir, tmp_path, monkeypatch
):
    monkeypatch.delitem(SETTINGS, "plus")
    for page in pages(metrics_dir, tmp_path / "out"):
        assert "2 trainings (plus (seed 1), plus (seed 2))" in page
        assert page.count("plus") == 2


def test_one_seed_by_other_settings_leaves_the_report_of_the_others_whole(metrics_dir, tmp_path):
    change_json(metrics_dir / "study" / "plus-2.json", settings_sha256="0" * 64)
    (run,) = read_study(metrics_dir, SETTINGS).models["plus"].runs
    assert run.seed == 1
    for page in pages(metrics_dir, tmp_path / "out"):
        assert "1 trainings (plus (seed 2))" in page


def test_a_variant_of_the_paper_trained_on_other_data_is_an_error(metrics_dir, tmp_path):
    change_json(metrics_dir / "yamnet.training.json", data_sha256="f" * 64)
    with pytest.raises(LeanError, match=r"yamnet was trained on other data .*`dvc repro`"):
        pages(metrics_dir, tmp_path / "out")


def test_plus_is_set_beside_leans_own_network_trained_otherwise(metrics_dir, tmp_path):
    add(metrics_dir, "recipe", 1, 0.6, 4_500_000, after=LEAN, change="a higher rate")
    add(metrics_dir, "longer", 1, 0.65, 4_500_000, after="recipe", change="more epochs")
    found = shown(metrics_dir)["retrained"]
    assert [row["name"] for row in found] == ["recipe", "longer"]
    assert [row["gap"] for row in found] == pytest.approx([0.13, 0.08])
    for page in pages(metrics_dir, tmp_path / "out"):
        assert "own network trained in other ways: recipe +0.1300 (" in page


def test_trainings_under_another_backend_are_named(metrics_dir, tmp_path):
    for page in pages(metrics_dir, tmp_path / "before"):
        assert "Trained under" not in page
    change_json(metrics_dir / "study" / "plus-2.json", backend="jax")
    change_json(metrics_dir / "study" / "rectified-1.json", backend="jax")
    add(metrics_dir, "rectified", 2, 0.6, 4_100_000, after=LEAN, backend="jax")
    named = "under jax, which draws other random numbers than tensorflow: rectified (seeds 1, 2), "
    for page in pages(metrics_dir, tmp_path / "after"):
        assert f"Trained {named}plus (seed 2)." in page


def test_times_of_one_network_tell_how_far_times_can_be_trusted(metrics_dir):
    assert shown(metrics_dir)["timing_noise"] is None  # two networks
    (metrics_dir / "study" / "plus.cost.json").write_text(cost(1500, 8.0, 4.0))
    assert shown(metrics_dir)["timing_noise"] == pytest.approx(8 / 4 - 6 / 4)


def test_models_resampled_differently_are_an_error(metrics_dir):
    pd.DataFrame({"mAP": np.full(100, 0.5)}).to_csv(metrics_dir / "plus.resampled.csv", index=False)
    with pytest.raises(LeanError, match=r"\[100, 200\] times"):
        shown(metrics_dir)


def test_resamples_without_a_positive_are_left_out(metrics_dir):
    path = metrics_dir / f"{LEAN}.resampled.csv"
    table = pd.read_csv(path)
    table.loc[::3, "mAP"] = np.nan
    table.to_csv(path, index=False)
    models = read_study(metrics_dir, SETTINGS).models
    assert np.isfinite(difference(models["plus"], models[LEAN], SeedSpread(0.01**2, 3))["low"])


def test_steps_have_gains_and_what_they_cost(metrics_dir):
    rectified, plus = shown(metrics_dir)["steps"]
    assert (rectified["after"], rectified["change"]) == (LEAN, "a ReLU")
    assert rectified["gap"] == pytest.approx(0.6 - 0.52)
    assert (rectified["parameters"], rectified["bytes"]) == (-400_000, -1500)
    assert rectified["ms"] == pytest.approx((6 / 4 - 5 / 2.5) * 2.5)
    assert plus["seeds"] == "2 / 1"
    assert (plus["bytes"], plus["ms"]) == (None, None)  # not measured
    assert shown(metrics_dir)["evaluations"] == 6


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
    (only,) = shown(metrics_dir)["models"]  # its seeds are worth a table
    assert (only["name"], only["mAP"]["seeds"]) == (LEAN, 3)
    for path in (metrics_dir / "study").iterdir():
        path.unlink()
    assert shown(metrics_dir) is None
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
