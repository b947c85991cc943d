"""Beyond the paper: means and intervals over seeds, paired differences, ingredients."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_data import (
    MODELS,
    change_json,
    make_run,
    pages,
    render,
    write_cost,
    write_resampled,
    write_training,
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
from lean_audio.report.inputs import VARIANTS
from lean_audio.report.trainings import Trained, Training, read_trainings

OTHER_DATA = {"train": "f" * 64, "val": "f" * 64}


@pytest.fixture
def metrics_dir(tmp_path) -> Path:
    """The paper's five, plus after `rectified` after LEAN; LEAN with three seeds, plus with two."""
    folder = make_run(tmp_path / "run", "folder", synthetic=False, trained=True)
    for seed, mean_ap in ((1, 0.5), (2, 0.52), (3, 0.54)):
        add(folder, LEAN, seed, mean_ap, 4_500_000)
    add(folder, "plus", 1, 0.72, 4_000_000)
    add(folder, "plus", 2, 0.74, 4_000_000)
    add(folder, "rectified", 1, 0.6, 4_100_000)
    write_cost(folder, LEAN, 3000, 5.0, 2.5)
    write_cost(folder, "rectified", 1500, 6.0, 4.0)
    return folder


def add(folder: Path, model: str, seed: int, mean_ap: float, parameters: int, **facts: Any) -> None:
    """Write a training, or write it anew."""
    facts = {"parameters": parameters, "val_mAP": mean_ap + 0.02, **facts}
    if (record := folder / "trainings" / f"{model}-{seed}").is_dir():
        change_json(record / "training.json", **facts)
        change_json(record / "metrics.json", mAP=mean_ap)
        write_resampled(record, mean_ap)
    else:
        measured = {"mAP": mean_ap}
        write_training(folder, model, seed, like="yamnet", training=facts, metrics=measured)


def change_training(folder: Path, name: str, **changes: Any) -> None:
    change_json(folder / "trainings" / name / "training.json", **changes)


def trained(folder: Path):
    return read_trainings(folder, MODELS).models


def shown(folder: Path) -> Any:
    return beyond(read_trainings(folder, MODELS), folder)


def test_models_are_read_with_all_their_seeds_each_after_the_one_it_comes_from(metrics_dir):
    models = trained(metrics_dir)
    assert list(models) == [*VARIANTS, "rectified", "plus"]
    seeds = {name: [run.seed for run in model.runs] for name, model in models.items()}
    assert seeds.pop(LEAN) == [1, 2, 3] and seeds.pop("plus") == [1, 2]
    assert all(found == [1] for found in seeds.values())


def test_the_interval_over_seeds_is_students():
    values = [0.5, 0.52, 0.54]
    found = mean_with_interval(values)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (found["low"], found["high"]) == pytest.approx((low, high))
    assert mean_with_interval([0.5])["low"] is None


def test_the_spread_over_seeds_is_pooled_over_models(metrics_dir):
    found = seed_spread(trained(metrics_dir).values())
    assert found.freedom == 3  # LEAN's two, plus's one, none of the others
    assert found.variance == pytest.approx((2 * 0.02**2 + np.var([0.72, 0.74], ddof=1)) / 3)
    assert seed_spread([Trained("alone", runs=[run_of(0.5)])]) == SeedSpread(0, 0)


def test_clips_that_move_both_models_alike_do_not_widen_a_difference(metrics_dir):
    models = trained(metrics_dir)
    spread = SeedSpread(0.01**2, 3)
    found = difference(models["plus"], models[LEAN], spread)
    assert found["gap"] == pytest.approx(0.73 - 0.52)
    half = stats.t.ppf(0.975, 3) * 0.01 * np.sqrt(1 / 2 + 1 / 3)
    assert found["gap"] - found["low"] == pytest.approx(half)
    assert found["high"] - found["gap"] == pytest.approx(half)
    assert found["significant"] is None  # two seeds are too few
    alone = difference(models["plus"], models[LEAN], SeedSpread(0, 0))
    assert alone["high"] - alone["low"] == pytest.approx(0, abs=1e-12)


def run_of(mean_ap: float, resampled: np.ndarray | None = None) -> Training:
    facts = {"mAP": mean_ap, "val_mAP": mean_ap}
    return Training(Path(), facts, np.zeros(2) if resampled is None else resampled)


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
            Trained(name, runs=[run_of(value + move, more) for value in values])
            for name, values, move, more in (
                ("ours", drawn[0], shift, resampled),
                ("theirs", drawn[1], 0.0, np.zeros(300)),
            )
        ]
        others = [
            Trained("other", runs=[run_of(value) for value in values]) for values in drawn[2:]
        ]
        found = difference(*sides, seed_spread([*sides, *others]))
        hits += found["low"] < 0 < found["high"]
    assert hits / 400 == pytest.approx(0.95, abs=0.03)


def test_a_difference_is_significant_from_three_seeds_on_if_its_interval_excludes_0(metrics_dir):
    add(metrics_dir, "plus", 3, 0.73, 4_000_000)
    for mean_ap, seed in ((0.51, 1), (0.53, 2), (0.55, 3)):
        add(metrics_dir, "close", seed, mean_ap, 4_000_000)
    models = trained(metrics_dir)
    assert difference(models["plus"], models[LEAN], SeedSpread(0.01**2, 3))["significant"] is True
    assert difference(models["close"], models[LEAN], SeedSpread(0.01**2, 3))["significant"] is False


def test_the_bootstrap_is_centred_on_the_gap(metrics_dir):
    """Resamples repeat clips, which makes every model look better or worse than it is."""
    models = trained(metrics_dir)
    shifted = models["rectified"].runs[0].resampled
    shifted += 0.03 + 0.01 * np.cos(np.arange(len(shifted)))
    found = difference(models["rectified"], models[LEAN], SeedSpread(0, 0))
    assert found["gap"] == pytest.approx(0.6 - 0.52)
    half = stats.norm.ppf(0.975) * np.std(0.01 * np.cos(np.arange(len(shifted))), ddof=1)
    assert (found["gap"] - found["low"], found["high"] - found["gap"]) == pytest.approx(
        (half, half)
    )


def test_trainings_on_other_data_are_left_out_counted_and_named(metrics_dir, tmp_path):
    (metrics_dir / "notes.md").write_text("About the other clips.")
    for name in (f"{LEAN}-2", f"{LEAN}-3", "plus-2"):
        change_training(metrics_dir, name, data_sha256=OTHER_DATA)
    change_json(metrics_dir / "trainings/rectified-1/metrics.json", data="f" * 12)
    for model in (LEAN, "rectified"):
        change_json(metrics_dir / "costs" / f"{model}.json", weights_sha256="f" * 64)
    models = trained(metrics_dir)
    assert {name: len(model.runs) for name, model in models.items()} == dict.fromkeys(
        (*VARIANTS, "plus"), 1
    )
    assert all(model.cost is None for model in models.values())
    named = f"4 on other data: {LEAN} (seeds 2, 3), plus (seed 2), rectified (seed 1)"
    for page in pages(metrics_dir, tmp_path / "out"):
        assert f"Trainings in this directory that are not shown: {named}." in page
        assert "About the other clips" not in page


@pytest.mark.parametrize("change", [{"data_sha256": OTHER_DATA}, {"settings_sha256": "0" * 64}])
def test_a_model_that_this_run_did_not_train_is_nowhere_in_the_report(
    metrics_dir, tmp_path, change
):
    """As committed results of `plus` beside a run on other clips."""
    for name in ("plus-1", "plus-2"):
        change_training(metrics_dir, name, **change)
    for text in pages(metrics_dir, tmp_path / "out"):
        assert "2 on other data" in text or "2 with other settings" in text
        assert ": plus (seeds 1, 2)." in text
        assert text.count("plus") == 1  # there alone


def test_a_model_that_params_do_not_have_is_nowhere_in_the_report(metrics_dir, tmp_path):
    models = {name: info for name, info in MODELS.items() if name != "plus"}
    for page in pages(metrics_dir, tmp_path / "out", models):
        assert "2 of models not in variants: plus (seeds 1, 2)." in page
        assert page.count("plus") == 1


def test_what_is_left_out_is_named_in_one_sentence_by_reason_and_nowhere_else(
    metrics_dir, tmp_path
):
    write_training(metrics_dir, "stranger", like="yamnet")
    for name in ("plus-1", "plus-2"):
        change_training(metrics_dir, name, settings_sha256="0" * 64)
    change_training(metrics_dir, "rectified-1", data_sha256=OTHER_DATA)
    (metrics_dir / "trainings/yamnet-1/metrics.json").unlink()
    write_training(metrics_dir, "longer", seed=3, like="yamnet")
    (metrics_dir / "trainings/longer-3/metrics.json").unlink()
    sentence = (
        "Trainings in this directory that are not shown: 2 not evaluated yet: longer (seed 3), "
        "yamnet (seed 1); 2 with other settings: plus (seeds 1, 2); "
        "1 on other data: rectified (seed 1); 1 of models not in variants: stranger (seed 1)."
    )
    texts = pages(metrics_dir, tmp_path / "out")
    card = (tmp_path / "out/model_card.md").read_text("utf-8")
    assert [text.count(sentence) for text in (*texts, card)] == [1, 1, 0]
    for text in (*texts, card):
        rest = text.replace(sentence, "")
        for name in ("stranger", "plus", "rectified", "longer", "yamnet,", "| yamnet |"):
            assert name not in rest
        assert ">yamnet<" not in rest


def test_one_seed_by_other_settings_leaves_the_report_of_the_others_whole(metrics_dir, tmp_path):
    change_training(metrics_dir, "plus-2", settings_sha256="0" * 64)
    (run,) = trained(metrics_dir)["plus"].runs
    assert run.seed == 1
    for page in pages(metrics_dir, tmp_path / "out"):
        assert "1 with other settings: plus (seed 2)." in page
        assert "0.7200" in page and "+0.2000" in page  # plus with seed 1, and over LEAN


def test_only_the_headline_must_have_been_trained_on_this_data(metrics_dir, tmp_path):
    change_training(metrics_dir, "yamnet-1", data_sha256=OTHER_DATA)
    for page in pages(metrics_dir, tmp_path / "out"):
        assert "1 on other data: yamnet (seed 1)." in page
    change_training(metrics_dir, f"{LEAN}-1", data_sha256=OTHER_DATA)
    with pytest.raises(LeanError, match=rf"{LEAN} was not trained .* on this data .*`dvc repro`"):
        pages(metrics_dir, tmp_path / "out")


def test_plus_is_set_beside_leans_own_network_trained_otherwise(metrics_dir, tmp_path):
    add(metrics_dir, "recipe", 1, 0.6, 4_500_000)
    add(metrics_dir, "longer", 1, 0.65, 4_500_000)
    found = shown(metrics_dir)["retrained"]
    assert [row["name"] for row in found] == ["recipe", "longer"]
    assert [row["gap"] for row in found] == pytest.approx([0.13, 0.08])
    for page in pages(metrics_dir, tmp_path / "out"):
        assert "network trained with other recipes: recipe +0.1300 (" in page


def test_trainings_with_another_backend_are_named(metrics_dir, tmp_path):
    for page in pages(metrics_dir, tmp_path / "before"):
        assert "Trained with the" not in page
        assert "only in the change named. All" in page
    for name in ("plus-2", "rectified-1"):
        change_training(metrics_dir, name, backend="jax")
    add(metrics_dir, "rectified", 2, 0.6, 4_100_000, backend="jax")
    note = "the jax backend, whose random numbers differ from those of tensorflow: "
    for page in pages(metrics_dir, tmp_path / "after"):
        assert f"Trained with {note}rectified (seeds 1, 2), plus (seed 2)." in page
        assert "only in the change named, except for the backend where noted above. All" in page


def test_times_of_one_network_tell_how_far_times_can_be_trusted(metrics_dir):
    assert shown(metrics_dir)["timing_noise"] is None  # two networks
    write_cost(metrics_dir, "plus", 1500, 8.0, 4.0)
    assert shown(metrics_dir)["timing_noise"] == pytest.approx(8 / 4 - 6 / 4)


@pytest.mark.parametrize("key", ["network_sha256", "weights_sha256", "classes"])
def test_a_cost_of_another_network_backbone_or_vocabulary_is_not_shown(metrics_dir, key):
    assert trained(metrics_dir)[LEAN].cost
    change_json(metrics_dir / "costs" / f"{LEAN}.json", **{key: 1})
    assert trained(metrics_dir)[LEAN].cost is None


def test_an_evaluation_of_the_head_before_is_not_shown_as_the_new_ones(metrics_dir, tmp_path):
    """A model was trained again, and not evaluated yet."""
    change_training(metrics_dir, "plus-1", weights_sha256="a" * 64)
    change_json(metrics_dir / "trainings/plus-1/metrics.json", weights="a" * 12)
    assert [run.seed for run in trained(metrics_dir)["plus"].runs] == [1, 2]
    change_training(metrics_dir, "plus-1", weights_sha256="b" * 64)
    assert [run.seed for run in trained(metrics_dir)["plus"].runs] == [2]
    for page in pages(metrics_dir, tmp_path / "out"):
        assert "1 not evaluated yet: plus (seed 1)." in page


def test_the_current_number_of_draws_counts_and_not_that_of_the_majority(metrics_dir, tmp_path):
    """Leftovers of other seeds must not crowd out what was just evaluated."""
    for name in (*VARIANTS, "plus"):
        write_resampled(metrics_dir / f"trainings/{name}-1", 0.5, draws=100)
    render(metrics_dir, tmp_path / "out", draws=100)
    page = (tmp_path / "out" / "report.md").read_text("utf-8")
    assert (
        "bootstrap draws: joint-bahdanau (seeds 2, 3), plus (seed 2), rectified (seed 1)." in page
    )


def test_trainings_with_another_number_of_draws_are_left_out_and_named(metrics_dir, tmp_path):
    """Draws are paired between models; old ones must not stop every later report."""
    write_resampled(metrics_dir / "trainings/plus-1", 0.5, draws=100)
    for page in pages(metrics_dir, tmp_path / "out"):
        assert "1 evaluated with another number of bootstrap draws: plus (seed 1)." in page


def test_resamples_without_a_positive_are_left_out(metrics_dir):
    path = metrics_dir / "trainings" / f"{LEAN}-1" / "tables/resampled.csv"
    table = pd.read_csv(path)
    table.loc[::3, "mAP"] = np.nan
    table.to_csv(path, index=False)
    models = trained(metrics_dir)
    assert len(models[LEAN].runs[0].resampled) == len(table)
    assert np.isfinite(difference(models["plus"], models[LEAN], SeedSpread(0.01**2, 3))["low"])


def test_steps_have_gains_and_what_they_cost(metrics_dir):
    rectified, plus = shown(metrics_dir)["steps"]
    assert (rectified["after"], rectified["change"]) == (LEAN, "a ReLU")
    assert rectified["gap"] == pytest.approx(0.6 - 0.52)
    assert (rectified["parameters"], rectified["bytes"]) == (-400_000, -1500)
    assert rectified["ms"] == pytest.approx((6 / 4 - 5 / 2.5) * 2.5)
    assert plus["seeds"] == "2 / 1"
    assert (plus["bytes"], plus["ms"]) == (None, None)  # not measured
    assert shown(metrics_dir)["evaluations"] == 4 + 6


def test_pages_show_every_model_and_step_and_how_often_the_split_was_used(metrics_dir, tmp_path):
    (metrics_dir / "notes.md").write_text("Two more were scored.\n\nAnother note.\n")
    for page in pages(metrics_dir, tmp_path / "out"):
        assert "Beyond the paper" in page
        assert "the table has 10 evaluations" in page
        assert "Two more were scored." in page
        for text in ("rectified", "a ReLU", "0.7300", "+0.2100", "0.4703 to 0.5697", "yes"):
            assert text in page


def test_without_other_models_there_is_no_such_section(metrics_dir, tmp_path):
    for name in ("plus-1", "plus-2", "rectified-1"):
        shutil.rmtree(metrics_dir / "trainings" / name)
    seeds = {row["name"]: row["mAP"]["seeds"] for row in shown(metrics_dir)["models"]}
    assert seeds == dict.fromkeys(VARIANTS, 1) | {LEAN: 3}  # its seeds are worth a table
    for name in (f"{LEAN}-2", f"{LEAN}-3"):
        shutil.rmtree(metrics_dir / "trainings" / name)
    assert shown(metrics_dir) is None
    for page in pages(metrics_dir, tmp_path / "out"):
        assert "Beyond the paper" not in page


def test_more_models_than_colours_are_all_listed_and_the_headline_is_shown_in_full(
    metrics_dir, tmp_path
):
    extra = [f"extra{number}" for number in range(8)]
    for name in extra:
        add(metrics_dir, name, 1, 0.5, 4_000_000)
    models = dict.fromkeys(extra, MODELS["close"]) | MODELS  # LEAN comes after them
    markdown, page = pages(metrics_dir, tmp_path / "out", models)
    assert "show 7 of the 15 models" in markdown and "show 7 of the 15 models" in page
    every, by_class = markdown.split("## Beyond")[1], markdown.split("## Average precision by")[1]
    assert all(f"| {name} | 1 | " in every for name in (*extra, "yamnet", "rectified"))
    assert f"| training clips | {' | '.join(extra[:6])} | {LEAN} |" in by_class


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
