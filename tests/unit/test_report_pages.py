"""Example clips, the model card, and the same bytes in any process."""

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers import ROOT
from report_data import (
    CALIBRATION_ERROR,
    DATA_SHA256,
    LABELS,
    MODELS,
    add_device,
    change_json,
    make_run,
    pages,
    render,
    write_training,
)
from ruamel.yaml import YAML

from lean_audio.config.schema import Evaluate
from lean_audio.errors import LeanError
from lean_audio.metrics.evaluate import evaluate
from lean_audio.report import classes as report_classes
from lean_audio.report import examples as report_examples
from lean_audio.report import render as report
from lean_audio.report import results
from lean_audio.report.device import read_device
from lean_audio.report.render import signed


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    return make_run(tmp_path / "demo", "demo", synthetic=True, trained=False)


@pytest.fixture
def device(demo: Path) -> Path:
    """The demo with the measurements of a real run on device beside its own."""
    add_device(demo)
    return demo


def shipped_row(metrics: Path) -> dict[str, Any]:
    measured = json.loads((metrics / "device.json").read_text())
    return measured["schemes"][measured["shipped"]]


@pytest.mark.specialist
def test_two_processes_with_other_hash_seeds_write_the_same_bytes(device: Path, tmp_path: Path):
    code = (
        "import sys; from pathlib import Path; from report_data import render; "
        "render(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    for seed in ("1", "2"):
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests"))),
        }
        command = [sys.executable, "-c", code, str(device), str(tmp_path / seed)]
        subprocess.run(command, env=environment, check=True)
    for name in report.PAGES:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_changes_are_the_largest_first_and_leave_equal_classes_out():
    ours = {"a": 0.5, "b": 0.9, "c": 0.2, "d": 0.3, "e": 0.4, "x": 1.0}
    theirs = {"a": 0.4, "b": 0.5, "c": 0.2 + 1e-15, "d": 0.6, "e": 0.5}
    found = report_classes.changes(ours, theirs)
    assert [row["label"] for row in found["improved"]] == ["b", "a"]
    assert [row["label"] for row in found["hurt"]] == ["d", "e"]
    assert found["hurt"][0]["change"] == pytest.approx(-0.3)


def test_at_most_ten_classes_are_named_each_way():
    ours = {f"class{n:02}": 0.5 for n in range(12)}
    found = report_classes.changes(ours, dict.fromkeys(ours, 0.4))
    assert [row["label"] for row in found["improved"]] == [f"class{n:02}" for n in range(10)]


def test_markdown_names_the_default_pair_and_the_example_clips(demo: Path, tmp_path: Path):
    markdown, page = pages(demo, tmp_path / "report")
    assert "| Rain | 0.5000 | 0.6600 | +0.1600 |" in markdown
    assert "| Wind | 0.5000 | 0.4500 | \u22120.0500 |" in markdown
    assert f"| joint-none | {CALIBRATION_ERROR:.4f} |" in markdown
    assert "| 17 | 1.60 | Bark | Bark 0.75, &lt;b&gt; 0.25 |" in markdown
    assert "base64" not in markdown
    assert page.count('src="data:image/png;base64,') == 2
    assert page.count("<audio controls") == page.count('src="data:audio/mpeg;base64,') == 1


def test_the_cells_of_chunks_meet_halfway_and_end_with_the_clip():
    chunks = [{"start_s": start, "end_s": start + 1.0} for start in (0.0, 0.5, 1.0)]
    edges = report_examples.chunk_edges(chunks, 1.6)
    assert edges == pytest.approx([0.0, 0.75, 1.15, 1.6])
    assert report_examples.chunk_edges(chunks[:1], 0.4) == [0.0, 0.4]
    assert report_examples.chunk_edges(chunks[:2], 1.9)[-1] == 1.5  # the tail was dropped


@pytest.mark.parametrize(("duration_s", "last"), [(0.4, "0.4"), (2.31, "2"), (29.9, "25")])
def test_ticks_are_few_and_at_round_times(duration_s: float, last: str):
    ticks = report_examples.time_ticks(duration_s)
    if last == "25":
        assert [tick["text"] for tick in ticks] == ["0", "5", "10", "15", "20", "25"]
    assert ticks[0] == {"text": "0", "percent": 0.0}
    assert ticks[-1]["text"] == last and 2 <= len(ticks) <= 7
    assert ticks[-1]["percent"] == pytest.approx(100 * float(last) / duration_s, abs=0.01)


def test_attention_reaches_the_top_at_its_highest_frame():
    assert report_examples.attention_area([], 0.5) == ""
    assert report_examples.attention_area([0.5, 1.5], 0.5) == "M0 100V66.7H500.0V0.0H1000.0V100Z"
    assert report_examples.attention_area([1.0], 1.0) == "M0 100V0.0H1000.0V100Z"


def test_attention_of_a_clip_that_ends_within_a_frame_is_drawn_to_its_end():
    area = report_examples.attention_area([1.0, 1.0], 0.8)
    assert area == "M0 100V0.0H800.0V0.0H1000.0V100Z"


def test_a_missing_example_file_is_named_with_its_stage(demo: Path, tmp_path: Path):
    examples = tmp_path / "demo-examples"
    for name in ("01.mp3", "02.png", "examples.json"):
        (examples / name).rename(tmp_path / name)
        with pytest.raises(LeanError, match=f"{name} is missing: stage examples writes it"):
            render(demo, tmp_path / "report")
        (tmp_path / name).rename(examples / name)
    record = {"variant": "x", "attends": True, "frame_s": 0.025, "clips": [{"clip": "17"}]}
    (examples / "examples.json").write_text(json.dumps(record))
    with pytest.raises(LeanError, match=r"examples\.json lacks labels, duration_s, .* examples"):
        render(demo, tmp_path / "report")


def test_the_readmes_table_needs_neither_examples_nor_curves(demo: Path):
    for path in (*demo.glob("*.csv"), *demo.glob("trainings/*/history.csv")):
        if path.name != "set_aside.csv":
            path.unlink()
    for name in ("classes", "pr", "reliability"):
        for path in demo.glob(f"trainings/*/tables/{name}.csv"):
            path.unlink()
    assert "joint-bahdanau 0.5123" in results.results_table({demo: MODELS})


def card(folder: Path, out: Path) -> tuple[dict, str]:
    text = (render(folder, out) / "model_card.md").read_text("utf-8")
    assert text.startswith("---\n")
    _, front, body = text.split("---\n", 2)
    return YAML(typ="safe").load(front), body


def test_the_model_card_says_first_that_its_numbers_compare_with_nothing(
    demo: Path, tmp_path: Path
):
    front, body = card(demo, tmp_path / "report")
    assert front["license"] == "apache-2.0" and "not-comparable" in front["tags"]
    assert body.index("Not comparable") < body.index("0.5123")
    (result,) = front["model-index"][0]["results"]
    assert result["dataset"]["name"] == "demo (synthetic, untrained YAMNet)"
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values["mAP"] == 0.5123
    assert values["expected calibration error"] == CALIBRATION_ERROR
    assert "## The file for devices" not in body


def test_the_model_card_names_the_shipped_file_and_the_worst_classes(device: Path, tmp_path: Path):
    front, body = card(device, tmp_path / "report")
    values = {row["type"]: row["value"] for row in front["model-index"][0]["results"][0]["metrics"]}
    shipped = shipped_row(device)
    low, high = (signed(value, 4).removeprefix("+") for value in shipped["mAP_drop_ci95"])
    assert values["size of the shipped file, bytes"] == shipped["bytes"]
    assert f"| 95 % interval of the drop | {low} to {high} |" in body
    worst = body.split("The 5 classes with the lowest")[1].split("##")[0].splitlines()
    rows = [line.split("|")[1].strip() for line in worst if line.startswith("| ")][1:]
    assert rows == ["---", "Wind", "Bark", "Purr", "Hum\\", "Rain"]  # Hum|x, its bar escaped
    assert "| paper: LEAN |" in body and "0.4677" in body


def test_card_and_charts_show_a_variant_of_ones_own_that_is_shipped(device: Path, tmp_path: Path):
    recipe = {"epochs": 77, "learning_rate": 0.002, "schedule": "cosine", "batch_size": 32}
    training = recipe | {"parameters": 99}
    write_training(device, "plus", like="yamnet", training=training, metrics={"mAP": 0.625})
    change_json(device / "device.json", variant="plus")
    front, body = card(device, tmp_path / "report")
    assert front["model-index"][0]["name"] == "LEAN, plus"
    assert "99 parameters" in body and "`models.plus` in `models.yaml`" in body
    assert "\n\n| metric | plus |\n| --- | ---: |\n| mAP | 0.6250 |\n" in body
    expected = "Recipe of plus: 77 epochs, learning rate 0.002, cosine schedule, batch size 32."
    assert expected in body and "| made from | plus |" in body
    assert "The paper has no such variant." in body and "0.4677" not in body
    text, page = pages(device, tmp_path / "report")
    assert "joint-bahdanau | plus |" in text
    assert page.count("<option>plus</option>") == 3  # bars, and both sides of a comparison


def test_each_variant_has_its_own_recipe_in_the_learning_table_and_the_card(
    demo: Path, tmp_path: Path
):
    recipe = {"epochs": 77, "learning_rate": 0.002, "schedule": "cosine", "batch_size": 32}
    change_json(demo / "trainings/joint-none-1/training.json", **recipe)
    markdown, page = pages(demo, tmp_path / "report")
    learning = markdown.split("## Learning")[1].split("##")[0]
    assert "| yamnet | 0.0001 | constant | 64 | 3 | 2 | 0.1000 | 0.3000 | 0.4000 |" in learning
    assert "| joint-none | 0.002 | cosine | 32 | 3 | 2 |" in learning  # 3 epochs in its history
    assert "joint-none</th><td>0.002</td><td>cosine</td><td>32</td><td>3</td>" in page
    assert "3 epochs, learning rate 0.0001, constant schedule, batch size 64" in (
        tmp_path / "report/model_card.md"
    ).read_text("utf-8")
    render(demo, tmp_path / "report", "joint-none")
    assert "Recipe of joint-none: 77 epochs, learning rate 0.002, cosine schedule, batch" in (
        tmp_path / "report/model_card.md"
    ).read_text("utf-8")


def test_a_table_of_the_card_ends_before_the_sentence_below_it(device: Path, tmp_path: Path):
    _, body = card(device, tmp_path / "report")
    lines = body.splitlines()
    for line, below in pairwise(lines):
        assert not line.startswith("|") or below == "" or below.startswith("|")


def test_a_run_of_only_two_variants_is_rendered(demo: Path, tmp_path: Path):
    write_training(demo, "plus", like="yamnet")
    models = {name: MODELS[name] for name in ("joint-bahdanau", "plus")}
    markdown, page = pages(demo, tmp_path / "report", models)
    for text in (markdown, page):
        assert "4 of models not in variants" in text
        assert "is the only one of the paper&#39;s variants" in text.replace("'", "&#39;")
        assert "None of the pairs that the paper compares is here." in text
    assert "| class | plus | joint-bahdanau | change |" in markdown
    assert "| joint-bahdanau | 1 | 0.5123 |" in markdown and "| plus | 1 | 0.5123 |" in markdown
    assert page.count("<option selected>plus</option>") == 1


def test_a_run_of_the_headline_alone_is_rendered(demo: Path, tmp_path: Path):
    models = {"joint-bahdanau": MODELS["joint-bahdanau"]}
    markdown, page = pages(demo, tmp_path / "report", models)
    assert "1 variant was trained" in page
    assert "Most improved" not in markdown and 'id="changes"' not in page


def test_a_model_that_is_not_in_the_paper_is_not_set_beside_it(device: Path, tmp_path: Path):
    """As in a run on one's own sounds."""
    write_training(device, "plus", like="joint-bahdanau")
    render(device, tmp_path / "report", "plus", {"plus": MODELS["joint-bahdanau"]})
    texts = [(tmp_path / "report" / name).read_text("utf-8") for name in report.PAGES]
    for text in texts:
        assert not re.search(r"\bpapers?\b", re.sub(r"--paper|\.paper\b", "", text))
    assert "| **plus** (headline) | 0.5123 |" in texts[0]


def test_a_report_without_labelled_evaluation_clips_says_not_available(
    device: Path, tmp_path: Path
):
    settings = Evaluate(curve_classes=2, resamples=10)
    for record in (device / "trainings").iterdir():
        targets = np.zeros((4, len(LABELS)), np.uint8)
        unlabelled = evaluate(targets, targets + 0.5, LABELS, settings)
        assert unlabelled.metrics["mAP"] is None
        unlabelled.save(record, DATA_SHA256["eval"], "")
    measured = json.loads((device / "device.json").read_text())
    unknown = {"mAP": None, "mAP_drop": None, "mAP_drop_ci95": None}
    schemes = {name: scheme | unknown for name, scheme in measured["schemes"].items()}
    change_json(device / "device.json", mAP_keras=None, schemes=schemes)
    write_training(device, "plus", like="yamnet")  # another one that has an mAP
    front, body = card(device, tmp_path / "report")
    markdown, page = pages(device, tmp_path / "report")
    assert "| **joint-bahdanau** (headline) | n/a | n/a | n/a |" in markdown
    assert "(float32 Keras: mAP n/a)" in markdown and "(float32 Keras: mAP n/a)" in page
    assert re.search(r"\| float16 \| [\d.]+ \| n/a \| n/a \| n/a \| ", markdown)
    for text in (markdown, page, body):
        assert "mAP is not defined, because no evaluation clip has a label." in text
    assert "mAP by size" not in page and "None" not in body
    values = {row["type"]: row["value"] for row in front["model-index"][0]["results"][0]["metrics"]}
    assert values["mAP"] is None
    assert "| 95 % interval of the drop | n/a |" in body
    assert "random scores reach n/a" in results.results_table({device: MODELS})


def test_a_metric_that_is_not_defined_is_null_in_the_card(demo: Path, tmp_path: Path):
    change_json(demo / "trainings/joint-bahdanau-1/metrics.json", d_prime=None)
    front, body = card(demo, tmp_path / "report")
    values = {row["type"]: row["value"] for row in front["model-index"][0]["results"][0]["metrics"]}
    assert values["d-prime"] is None
    assert "| d\u2032 | n/a | 2.251 |" in body


def test_the_table_of_files_has_the_reason_for_each_and_its_false_alarms(
    device: Path, tmp_path: Path
):
    measured = json.loads((device / "device.json").read_text())
    told = {
        "validation": {"mAP": 0.7, "mAP_drop": 0.0123, "F1": 0.6},
        "F1": 0.6543,
        "false_alarms": {"silence": 360.0, "hum": 90.0, "noise": 0.0},
        "least_runtime": "2.17.0",
        "reason": "mAP drop 0.0123 on validation, allowed 0.002",
    }
    schemes = {name: row | told for name, row in measured["schemes"].items()}
    schemes["patch_int16"] = schemes["float16"] | {"reason": "takes patches, not the waveform"}
    change_json(device / "device.json", schemes=schemes)
    markdown, page = pages(device, tmp_path / "report")
    cells = "| 0.0123 | 0.6543 | 360 / 90 / 0 | 2.17.0 | mAP drop 0.0123 on validation"
    assert markdown.count(cells) == len(measured["schemes"])
    for text in (markdown, page):
        assert "takes patches, not the waveform" in text
    assert 'aria-label="float16: mAP' in page and 'aria-label="patch_int16: mAP' not in page
    body = card(device, tmp_path / "report")[1]
    assert "| false alarms per hour: silence / hum / noise | 360 / 90 / 0 |" in body
    assert "| least TensorFlow Lite runtime | 2.17.0 |" in body


def test_on_device_charts_say_size_time_and_map(device: Path, tmp_path: Path):
    _, page = pages(device, tmp_path / "report")
    row = next(row for row in read_device(device)["schemes"] if row["name"] == "selective_int8")
    against = row["against"]["1"]
    label = (
        f"selective_int8: mAP {row['mAP']:.4f}, {row['bytes'] / 1e6:.2f} MB, "
        f"{against:.2f} times as long as plain YAMNet"
    )
    assert page.count(f'aria-label="{label}"') == 2
    for drawing in page.split('<figure class="chart">')[1:]:
        svg = ElementTree.fromstring(drawing.split("</figure>")[0])  # noqa: S314
        assert svg.get("role") == "img" and svg.get("aria-label")
