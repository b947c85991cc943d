"""Links between the project's pages lead somewhere, to the heading they name."""

import re
from pathlib import Path

import pytest
from documents import PAGES, all_pages, anchors, links, read_code_spans
from helpers import ROOT

FILE = re.compile(r"(benchmarks|docs|lean_audio|requirements|stages|tests|tools)(/[\w.-]+)+/?")


def each(pages: list[Path]):
    return pytest.mark.parametrize("page", pages, ids=lambda page: str(page.relative_to(ROOT)))


@each(PAGES)
def test_files_named_in_the_text_exist(page):
    for span in read_code_spans(page):
        if FILE.fullmatch(span):
            assert (ROOT / span).exists(), span


@each(all_pages())
def test_relative_links_lead_to_files_and_headings(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{link}: no such file"
        assert not Path(path).is_absolute(), f"{link}: leads out of the repository"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}: no such heading"


def test_anchors_are_those_of_github(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# `train.mixed_precision`\n\n```sh\n# no heading\n```\n\n## One [link](x.md), two\n\n"
        "## d\N{PRIME} of 3 \N{MULTIPLICATION SIGN} 2\n\n## Same\n\n### Same\n"
    )
    assert anchors(page) == {
        *("trainmixed_precision", "one-link-two", "d-of-3--2", "same", "same-1")
    }
