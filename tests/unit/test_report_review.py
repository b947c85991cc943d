"""The report's section on data and labels: warnings, confusions, doubts and players."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from report_data import add_review, change_json, make_run, pages

from lean_audio.errors import LeanError
from lean_audio.report.review import address


@pytest.fixture
def own(tmp_path: Path) -> Path:
    metrics = make_run(tmp_path / "own", "own", synthetic=False, trained=True)
    add_review(metrics)
    return metrics


def section(page: str) -> str:
    found = re.search(r'<section id="review">.*?</section>', page, re.DOTALL)
    assert found
    return found[0]


def test_the_page_shows_warnings_confusions_and_doubts(own: Path, tmp_path: Path):
    markdown, page = pages(own, tmp_path / "report")
    shown = section(page)
    assert "silent: <strong>12 clips</strong>" in shown and "and 9 more" in shown
    assert "&lt;i&gt; (val)" in shown and "<i>" not in shown and "clipped" not in shown
    assert shown.index(">Purr<") < shown.index(">Bark</th><td>40</td><td>3</td><td>0.50</td>")
    assert "0.25 to 0.75" in shown
    assert "bird #1/Käuz &amp; &#34;Uhu&#34; 50%&lt;b&gt;.wav" in shown
    assert "far.wav" not in shown + markdown  # beyond the ten that are shown
    assert '<a href="#review">Data and labels</a>' in page
    assert "- silent: **12 clips** (a\\|b (train); &lt;i&gt; (val); c (val); ...)" in markdown
    assert "| Hum\\|x | Wind | 8 | 6 |" in markdown
    assert "| 18.wav | eval | missing label | Rain | 1.25 |  |" in markdown


def test_a_player_refers_to_the_file_and_only_if_it_is_there(own: Path, tmp_path: Path):
    out = tmp_path / "report" / "own"
    shown = section(pages(own, out)[1])
    (source,) = re.findall(r'<audio class="local"[^>]* src="([^"]*)"', shown)
    assert source == "../../own-sounds/unlikely-01.mp3"
    assert (out / unquote(source)).is_file()


def test_no_path_of_the_machine_is_in_the_pages(own: Path, tmp_path: Path):
    for page in pages(own, tmp_path / "report"):
        assert str(tmp_path) not in page and "file:" not in page


def test_an_address_is_quoted(tmp_path: Path):
    file = tmp_path / "data" / "Käuz #1 50%?" / "a b.mp3"
    assert (
        address(file, tmp_path / "report/x") == "../../data/K%C3%A4uz%20%231%2050%25%3F/a%20b.mp3"
    )


def test_synthetic_labels_are_not_doubted(tmp_path: Path):
    metrics = make_run(tmp_path / "demo", "demo", synthetic=True, trained=False)
    add_review(metrics)
    markdown, page = pages(metrics, tmp_path / "report")
    assert "Labels that are confused" in page and "Labels in doubt" not in page + markdown


def test_a_clean_set_says_so(own: Path, tmp_path: Path):
    content = json.loads((own / "data_checks.json").read_text())
    change_json(own / "data_checks.json", checks=content["checks"][1:], warnings=0)
    assert "all 1 checks passed" in section(pages(own, tmp_path / "report")[1])


def test_a_report_needs_neither_checks_nor_review(tmp_path: Path):
    metrics = make_run(tmp_path / "old", "old", synthetic=False, trained=True)
    markdown, page = pages(metrics, tmp_path / "report")
    assert "Data and labels" not in page + markdown


def test_a_column_that_is_missing_is_named_with_its_stage(own: Path, tmp_path: Path):
    (own / "review" / "doubts.csv").write_text("kind,rank\n")
    with pytest.raises(LeanError, match=r"doubts\.csv lacks clip, .*: stage review writes"):
        pages(own, tmp_path / "report")
