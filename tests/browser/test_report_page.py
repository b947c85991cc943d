"""The report's page as its readers use it: sort, find, compare, listen, print, on a phone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from report_data import APS, LABELS, TRAIN_CLIPS, add_review, make_run, render

from lean_audio.report import classes as report_classes
from lean_audio.report.inputs import VARIANTS
from lean_audio.report.render import fixed, signed

Open = Callable[..., Page]
PHONE = {"width": 360, "height": 740}
LAPTOP = {"width": 1280, "height": 800}
A4 = {"width": 710, "height": 1050}  # inside its margins
GROUNDS = ("ground", "raised", "paper", "headline", "warn", "bar", "better", "worse")
MARKS = ("edge", *(f"series-{number}" for number in range(1, 8)))
COLOURS = (*GROUNDS, *MARKS, "ink", "quiet", "accent")


@pytest.fixture
def open_page(browser: Browser, report_page: Path) -> Iterator[Open]:
    """Opens the page; at the end nothing may have gone wrong or been asked of the network."""
    troubles: list[str] = []
    contexts = []

    def open_it(path: Path = report_page, **options: Any) -> Page:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else 0)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: watch(request.url, path.as_uri()))
        page.goto(path.as_uri())
        return page

    def watch(url: str, opened: str) -> None:
        if url != opened and not url.startswith("data:"):
            troubles.append(f"asked for {url[:200]}")

    yield open_it
    for context in contexts:
        context.close()
    assert troubles == []


def column(page: Page, number: int, table: str = "classes") -> list[str]:
    cells = page.locator(f"#{table} tbody tr:visible > :nth-child({number + 1})")
    return cells.all_text_contents()


def header(page: Page, number: int):
    return page.locator("#classes thead th").nth(number)


def test_a_click_on_a_header_sorts_and_a_second_one_turns_it_round(open_page: Open):
    page = open_page()
    by_clips = sorted([*TRAIN_CLIPS, "<b>"], key=lambda label: (TRAIN_CLIPS.get(label, 0), label))
    assert column(page, 0) == [*LABELS, "<b>"]
    for number in range(9):
        assert header(page, number).get_attribute("aria-sort") == "none"
    header(page, 3).get_by_role("button").click()
    assert column(page, 0) == by_clips
    assert header(page, 3).get_attribute("aria-sort") == "ascending"
    header(page, 3).get_by_role("button").click()
    assert column(page, 3) == ["300", "40", "12", "5", "0", "0"]
    assert header(page, 3).get_attribute("aria-sort") == "descending"
    header(page, 0).get_by_role("button").click()
    assert header(page, 3).get_attribute("aria-sort") == "none"
    assert column(page, 0) == sorted([*LABELS, "<b>"], key=str.lower)


def test_a_class_without_an_average_precision_is_last_either_way(open_page: Open):
    page = open_page()
    expected = sorted(APS["yamnet"].values())
    for values in (expected, expected[::-1]):
        header(page, 4).get_by_role("button").click()
        assert column(page, 4) == [*(fixed(value, 4) for value in values), "n/a"]


def test_the_keyboard_alone_sorts_and_the_focus_can_be_seen(open_page: Open):
    page = open_page()
    button = header(page, 2).get_by_role("button")
    page.locator("#bars").focus()
    for _ in range(10):
        page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    expect(button).to_be_focused()
    assert button.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert header(page, 2).get_attribute("aria-sort") == "ascending"


def test_a_search_leaves_the_classes_that_match(open_page: Open):
    page = open_page()
    page.get_by_label("find a class").fill("R")
    assert column(page, 0) == ["Bark", "Purr", "Rain"]
    expect(page.locator("#found")).to_have_text("3 classes")
    page.get_by_label("find a class").fill("hum|")
    assert column(page, 0) == ["Hum|x"]
    expect(page.locator("#found")).to_have_text("1 class")
    page.get_by_label("find a class").fill("")
    assert len(column(page, 0)) == 6


def test_bars_show_the_chosen_variant(open_page: Open):
    page = open_page()
    page.get_by_label("bars show").select_option("yamnet")
    assert column(page, 1) == [*(fixed(APS["yamnet"][label], 4) for label in LABELS), "n/a"]
    bar = page.locator("#classes td.bar").first
    width = bar.evaluate("cell => cell.style.getPropertyValue('--v')")
    assert float(width) == APS["yamnet"][LABELS[0]]
    expect(header(page, 1)).to_contain_text("yamnet")


@pytest.mark.parametrize("ours", VARIANTS)
def test_the_compared_pair_shows_what_python_computes(open_page: Open, ours: str):
    page = open_page()
    for theirs in VARIANTS:
        page.locator("#ours").select_option(ours)
        page.locator("#theirs").select_option(theirs)
        found = report_classes.changes(APS[ours], APS[theirs])
        for kind, rows in found.items():
            assert column(page, 0, kind) == ([row["label"] for row in rows] or ["none"])
            assert column(page, 1, kind) == [fixed(row["theirs"], 4) for row in rows]
            assert column(page, 3, kind) == [signed(row["change"], 4) for row in rows]


def test_the_pair_shown_first_is_what_the_script_shows_for_it(open_page: Open):
    with_script, without = open_page(), open_page(java_script_enabled=False)
    with_script.locator("#theirs").select_option("yamnet")
    assert column(with_script, 3, "improved") != column(without, 3, "improved")
    with_script.locator("#theirs").select_option("yamnet-projection")
    for kind in ("improved", "hurt"):
        for number in range(4):
            shown = column(without, number, kind)
            assert column(with_script, number, kind) == shown != []


def test_a_clip_plays_and_its_head_moves(open_page: Open):
    page = open_page()
    audio = page.locator(".clip audio")
    assert audio.count() == 1
    audio.evaluate("audio => audio.play()")
    page.wait_for_function("document.querySelector('.clip audio').currentTime > 0.2")
    expect(page.locator(".clip .head").first).to_be_visible()
    left = page.locator(".clip .head").first.evaluate("head => parseFloat(head.style.left)")
    assert 0 < left <= 100


def test_a_mark_of_a_chart_says_its_value_beside_the_pointer(open_page: Open):
    page = open_page()
    mark = page.locator("#learning .mark-symbol [aria-label]").first
    mark.scroll_into_view_if_needed()
    mark.hover(force=True)
    expect(page.locator("#tip")).to_be_visible()
    assert ", epoch " in (page.locator("#tip").text_content() or "")
    page.mouse.move(1, 1)
    expect(page.locator("#tip")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("script", [True, False])
def test_nothing_overflows_a_phone(open_page: Open, scheme: str, script: bool):
    page = open_page(viewport=PHONE, color_scheme=scheme, java_script_enabled=script)
    widest = page.locator("body").evaluate("body => body.scrollWidth") if script else None
    assert widest in (None, PHONE["width"])
    for box in (page.locator(f"main > {part}") for part in ("header", "section", "section .card")):
        for place in (element.bounding_box() for element in box.all()):
            assert place and place["x"] >= 0
            assert place["x"] + place["width"] <= PHONE["width"]


def test_a_doubted_clip_plays_where_its_sound_is_and_nowhere_else(browser: Browser, tmp_path: Path):
    metrics = make_run(tmp_path / "own", "own", synthetic=False, trained=True)
    add_review(metrics)
    here = render(metrics, tmp_path / "report" / "own") / "index.html"
    there = tmp_path / "sent" / "on" / "to" / "somebody.html"
    there.parent.mkdir(parents=True)
    there.write_bytes(here.read_bytes())
    with browser.new_context(viewport=PHONE) as context:
        page = context.new_page()
        page.goto(here.as_uri())
        player = page.locator("#review audio")
        expect(player).to_have_js_property("duration", 1.6)
        assert page.locator("body").evaluate("body => body.scrollWidth") == PHONE["width"]
        page.goto(there.as_uri())
        expect(player).to_have_count(0)
        expect(page.locator("#review .doubts tbody tr")).to_have_count(2)


def test_the_change_of_an_ingredient_has_room_and_the_numbers_yield(
    open_page: Open, ingredients_page: Path
):
    page = open_page(ingredients_page, viewport=LAPTOP)
    table = page.locator("table.ingredients")
    headers = table.locator("thead th").all_text_contents()
    rows = table.locator("tbody tr")
    assert rows.count() > 10
    assert "pointwise_11_relu_max" in rows.filter(has_text="maxima").first.inner_text()
    widths = [header.bounding_box()["width"] for header in table.locator("thead th").all()]
    change = widths[headers.index("change")]
    assert change >= 200
    assert change == max(widths)
    for row in rows.all():
        assert lines_of(row) <= 3, row.inner_text()
    assert table.evaluate("table => table.offsetWidth <= table.parentElement.clientWidth")


def lines_of(row: Locator) -> int:
    """How many lines the highest cell of a row has."""
    return row.evaluate(
        """row => {
            const style = getComputedStyle(row.cells[0]);
            const padding = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
            return Math.round((row.offsetHeight - padding) / parseFloat(style.lineHeight));
        }"""
    )


@pytest.mark.parametrize("viewport", [PHONE, A4])
def test_the_tables_beyond_the_paper_stay_on_a_phone_and_on_paper(
    open_page: Open, ingredients_page: Path, viewport: Any
):
    page = open_page(ingredients_page, viewport=viewport)
    if viewport == A4:
        page.emulate_media(media="print")
    assert page.locator("body").evaluate("body => body.scrollWidth") == viewport["width"]


def ratio(one: list[float], two: list[float]) -> float:
    """WCAG's contrast of two colours."""

    def luminance(colour: list[float]) -> float:
        parts = [value / 255 for value in colour[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_series_stand_out_from_their_ground(open_page: Open, scheme: str):
    page = open_page(color_scheme=scheme)
    colours = page.evaluate(
        """(names) => {
            const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
            const style = getComputedStyle(document.documentElement);
            return Object.fromEntries(names.map((name) => {
                pen.fillStyle = style.getPropertyValue(`--${name}`);
                pen.fillRect(0, 0, 1, 1);
                return [name, [...pen.getImageData(0, 0, 1, 1).data]];
            }));
        }""",
        COLOURS,
    )
    for ground in GROUNDS:
        assert ratio(colours["ink"], colours[ground]) >= 4.5, ground
    for text in ("quiet", "accent"):
        for ground in ("ground", "raised", "paper", "headline"):
            assert ratio(colours[text], colours[ground]) >= 4.5, (text, ground)
    for mark in MARKS:
        assert ratio(colours[mark], colours["ground"]) >= 3, mark


def test_charts_take_the_pages_colours(open_page: Open):
    seen = {
        scheme: open_page(color_scheme=scheme)
        .locator("#learning .chart .role-axis-label text")
        .first.evaluate("text => getComputedStyle(text).fill")
        for scheme in ("light", "dark")
    }
    assert seen == {"light": "rgb(91, 101, 112)", "dark": "rgb(163, 173, 183)"}


def test_without_javascript_all_is_shown_and_nothing_that_would_not_work(open_page: Open):
    page = open_page(java_script_enabled=False)
    assert column(page, 0) == [*LABELS, "<b>"]
    assert page.locator(".controls:visible").count() == 0
    assert (
        page.locator(".pair").inner_text() == "AP of joint-bahdanau compared with yamnet-projection"
    )
    assert page.locator("figure.chart svg:visible").count() == 3 + 5 + 5 + 1 + 2
    assert page.locator(".clip audio:visible").count() == 1


def test_printing_shows_everything_but_the_controls(open_page: Open, tmp_path: Path):
    page = open_page(viewport=A4)
    page.get_by_label("find a class").fill("Purr")
    page.emulate_media(media="print")
    assert page.locator("body").evaluate("body => body.scrollWidth") == A4["width"]
    assert page.locator(".controls:visible, audio:visible, nav:visible").count() == 0
    assert len(column(page, 0)) == 6
    assert page.locator(".tall").first.evaluate("box => getComputedStyle(box).maxHeight") == "none"
    printed = page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert printed.startswith(b"%PDF-") and printed.count(b"/Type /Page\n") >= 3
