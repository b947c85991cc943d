"""The report says what was measured, and what it may be compared with."""

import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers import ROOT
from report_data import (
    APS,
    ASIDE,
    DATASET,
    MODELS,
    TRAINING,
    change_json,
    make_metrics,
    make_run,
    pages,
    render,
    write_csv,
)

from lean_audio.config.params import Params
from lean_audio.errors import LeanError
from lean_audio.report import classes as report_classes
from lean_audio.report import paper, results
from lean_audio.report import render as report
from lean_audio.report.inputs import VARIANTS
from tools import readme

WRITERS = {
    "provenance.json": "embed",
    "class_counts.csv": "prepare",
    "set_aside.csv": "prepare",
    "trainings/joint-none-1/history.csv": "train",
    "trainings/joint-none-1/tables/pr.csv": "evaluate",
    "trainings/joint-affinity-1/tables/reliability.csv": "evaluate",
    "trainings/yamnet-1/tables/resampled.csv": "evaluate",
    "trainings/joint-bahdanau-1/tables/classes.csv": "evaluate",
}


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    return make_run(tmp_path / "metrics/demo", "demo", synthetic=True, trained=False)


def test_class_wise_counts_match_the_hand_worked_case_in_both_readings():
    joint, lean, attention = report_classes.class_wise_rows(APS, "joint-bahdanau")
    assert joint["classes"] == 5
    assert joint["relative"] == (3, 3, 2, 1)  # +5, +10, +20, -10, 0 %
    assert joint["absolute"] == (3, 2, 1, 0)  # +2, +5, +10, -5, 0 points
    assert lean["relative"] == (4, 4, 3, 2)  # +25, +10, +32, -10, +8.3 %
    assert lean["absolute"] == (4, 4, 2, 0)  # +10, +5, +16, -5, +5 points
    assert attention["relative"] == (3, 3, 2, 0)  # +19, 0, +10, 0, +8.3 %
    assert attention["absolute"] == (3, 3, 0, 0)  # +8, 0, +6, 0, +5 points


def test_without_attention_one_pair_is_left_and_classes_scored_once_are_not_compared():
    aps = APS | {"joint-none": {"Bark": 0.5, "Purr": 0.5}}
    (row,) = report_classes.class_wise_rows(aps, "joint-none")
    assert row["names"] == ("joint-none", "yamnet-projection")
    assert row["classes"] == 2


@pytest.mark.parametrize("baseline", [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 1 / 3, 2 / 7])
def test_rounding_does_not_flip_an_exact_threshold(baseline: float):
    for rank, limit in enumerate((5, 10, 20), start=2):
        improvement = report_classes.relative_improvement(baseline * (100 + limit) / 100, baseline)
        assert sum(report_classes.count_better([improvement])) == rank
    assert report_classes.count_better([0.1 + 0.2 - 0.3]) == (0, 0, 0, 0)
    assert report_classes.count_better([0.05 - 1e-9, 1e-9]) == (2, 0, 0, 0)


def test_anything_over_a_baseline_of_zero_is_an_infinite_improvement():
    improvements = [report_classes.relative_improvement(ap, 0.0) for ap in (0.1, 0.0)]
    assert improvements == [math.inf, 0.0]
    assert report_classes.count_better(improvements) == (1, 1, 1, 1)


def test_learning_names_the_first_best_epoch_and_survives_an_empty_history():
    values = ("0.1", "", "0.3", "0.3")
    history = [{"epoch": str(n), "loss": "0.5", "val_mAP": v} for n, v in enumerate(values, 1)]
    row = report.learning_row("yamnet", TRAINING, history)
    assert (row["epochs"], row["best_epoch"], row["best_val_mAP"]) == (4, "3", 0.3)
    assert report.learning_row("yamnet", TRAINING, [])["best_epoch"] is None


@pytest.mark.parametrize("synthetic", [True, False])
@pytest.mark.parametrize("trained", [True, False])
def test_banner_stands_exactly_where_numbers_are_not_comparable(
    tmp_path: Path, synthetic: bool, trained: bool
):
    folder = make_run(tmp_path / "metrics", "fsd50k", synthetic, trained)
    causes = ["the clips are synthetic"] * synthetic + ["YAMNet is untrained"] * (not trained)
    for page in pages(folder, tmp_path / "report"):
        assert ("not comparable to any published results" in page) == bool(causes)
        assert not causes or f"Because {' and '.join(causes)}, the numbers" in page
        assert ("not for the data used here" in page) == synthetic


def test_ablation_has_five_rows_with_the_papers_numbers_labelled(demo: Path, tmp_path: Path):
    markdown, page = pages(demo, tmp_path / "report")
    section = markdown.split("## Ablation")[1].split("##")[0]
    header, _, *rows = [line for line in section.splitlines() if line.startswith("|")]
    assert header.endswith("| paper: mAP | paper: mAUC | paper: d\u2032 | paper: parameters |")
    assert [row.split("|")[1].strip(" *") for row in rows[:-1]] == list(VARIANTS[:4])
    assert rows[4].startswith("| **joint-bahdanau** (headline) | 0.5123 | 0.9000 | 1.812 |")
    assert "| 3,422,344 | 2 | 0.4677 | 0.944 | 2.251 | 4.58M |" in rows[4]
    assert "ours \u2212 paper" not in markdown + page
    assert "Random scores would reach an mAP of about 0." in section
    assert page.count('<span class="mark">headline</span>') == 1
    assert paper.SOURCE in page
    assert "27 / 9 / 3 (as printed: one of the four cells is missing" in markdown


def test_ours_minus_the_papers_is_shown_on_the_papers_own_data_alone(tmp_path: Path):
    folder = make_run(tmp_path / "fsd50k", "fsd50k", synthetic=False, trained=True)
    markdown, page = pages(folder, tmp_path / "report")
    row = next(line for line in markdown.splitlines() if line.startswith("| **joint-bahdanau**"))
    assert row.endswith("| 4.58M | +0.0446 | \u22120.0440 | \u22120.439 |")
    assert page.count("ours \u2212 paper") == 3


def test_two_renders_are_byte_identical_and_name_no_machine(demo: Path, tmp_path: Path):
    first, second = (pages(demo, tmp_path / name) for name in ("a", "b"))
    assert first == second
    assert not any(str(tmp_path) in page for page in first)
    written = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert written == ["index.html", "model_card.md", "report.md"]


class Page(HTMLParser):
    """Collects open tags, ids and what is loaded; fails on a tag closed out of order."""

    VOID = ("meta", "img", "input", "wbr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.loaded: list[str | None] = []
        self.ids: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.loaded += [value for name, value in attrs if name in {"src", "href", "srcset"}]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_well_formed_loads_nothing_and_escapes_labels(demo: Path, tmp_path: Path):
    markdown, text = pages(demo, tmp_path / "report")
    page = Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    loaded = [address or "" for address in page.loaded]
    assert all(address.startswith(("data:", "#")) for address in loaded)
    assert {address[1:] for address in loaded if address.startswith("#")} <= set(page.ids)
    used = re.findall(r"url\(([^)]*)\)", text)
    assert {address.lstrip("#") for address in used} <= set(page.ids)
    assert "@import" not in text
    assert "b" not in page.seen
    assert "&lt;b&gt;" in text and r'"\u003cb\u003e"' in text
    assert r"| &lt;b&gt; | 0 | 0 |" in markdown and r"| Hum\|x | 3 | 12 |" in markdown


def test_null_metrics_are_shown_as_not_available(demo: Path, tmp_path: Path):
    change_json(demo / "trainings/yamnet-1/metrics.json", mAP=None, d_prime=None)
    change_json(demo / "trainings/yamnet-1/training.json", parameters=None, best_epoch=None)
    markdown, _ = pages(demo, tmp_path / "report")
    assert "| yamnet | n/a | 0.9000 | n/a | 1.900 | 0.6000 | n/a | n/a | 0.446 |" in markdown


def test_only_the_first_fifty_clips_set_aside_are_listed(demo: Path, tmp_path: Path):
    rows = [(f"clip{number}", "eval", "x.wav", "empty") for number in range(51)]
    write_csv(demo / "set_aside.csv", ASIDE, rows)
    for page in pages(demo, tmp_path / "report"):
        assert "could not be used: 51." in page
        assert "clip49" in page and "clip50" not in page


@pytest.mark.parametrize(("name", "stage"), WRITERS.items())
def test_a_missing_or_empty_file_is_named_with_its_stage(demo: Path, name: str, stage: str):
    (demo / name).write_text("{}" if name.endswith(".json") else "")
    with pytest.raises(LeanError, match=rf"{name} lacks .*: stage {stage} writes"):
        render(demo, demo / "report")
    (demo / name).unlink()
    with pytest.raises(LeanError, match=rf"{name} is missing: stage {stage} writes it"):
        render(demo, demo / "report")
    assert not (demo / "report").exists()


@pytest.mark.parametrize(("name", "stage"), [("training", "train"), ("metrics", "evaluate")])
def test_a_record_without_its_keys_is_named_with_its_stage(demo: Path, name: str, stage: str):
    path = demo / f"trainings/yamnet-1/{name}.json"
    for text in ("{}", "[]", "{"):
        path.write_text(text)
        with pytest.raises(LeanError, match=rf"{name}\.json .*: stage {stage} writes"):
            render(demo, demo / "report")


@pytest.mark.parametrize("name", ["training.json", "metrics.json"])
def test_the_headline_must_be_trained_and_evaluated(demo: Path, name: str):
    (demo / "trainings/joint-none-1" / name).unlink()
    expected = r"joint-none was not trained and evaluated with seed 1 .*`dvc repro`"
    with pytest.raises(LeanError, match=expected):
        render(demo, demo / "report", "joint-none")
    assert "| **joint-bahdanau** (headline) |" in pages(demo, demo / "report")[0]


def test_an_absent_key_is_named(demo: Path):
    change_json(demo / "provenance.json", dataset=DATASET | {"name": "demo"})
    with pytest.raises(LeanError, match=r"provenance\.json lacks dataset\.synthetic:"):
        results.results_table({demo: MODELS})


def test_results_table_sets_every_dataset_beside_the_paper(demo: Path, tmp_path: Path):
    folder = make_metrics(tmp_path / "folder", "sounds", synthetic=False, trained=True)
    table, below = results.results_table({folder: MODELS, demo: MODELS}).strip().split("\n\n")
    header, _, *rows = table.splitlines()
    ours = "mAP on real sounds (sounds), ours, without 1 evaluation clip that cannot be used |"
    assert header.endswith(f"| mAP on FSD50K, the paper's | {ours}")
    assert rows[4] == "| joint-bahdanau | 4.58M | 0.4677 | 0.5123 |"
    assert len(rows) == 5
    assert below.startswith("`demo` (synthetic sounds, untrained YAMNet; random scores reach 0.")
    assert "joint-bahdanau 0.5123" in below


def test_readme_block_is_replaced_idempotently_and_must_exist(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: Params
):
    make_metrics(demo.parent / "real-sounds", "real-sounds", synthetic=False, trained=True)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "datasets", "datasets")
    (path := Path("README.md")).write_text(f"# LEAN\n{readme.START}\nstale\n{readme.END}\nend\n")
    readme.update(params)
    once = path.read_text()
    readme.update(params)
    assert path.read_text() == once
    assert once.startswith(f"# LEAN\n{readme.START}\n\n| variant |")
    assert once.endswith(f".\n\n{readme.END}\nend\n") and "stale" not in once
    with pytest.raises(LeanError, match="needs the marks"):
        readme.replace_results("# LEAN\n", "table\n")
