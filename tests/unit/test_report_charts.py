"""Charts show what they are given, look alike everywhere and can be told apart without colour."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from report_data import CALIBRATION_ERROR, RELIABILITY

from lean_audio.report import chart_style, charts, charts_extra, paper

NAMES = ("yamnet", "joint-bahdanau")
HISTORIES = {
    name: [
        {"epoch": float(epoch), "loss": 1 / epoch, "val_loss": 2 / epoch, "val_mAP": epoch / 10}
        for epoch in (1, 2, 3)
    ]
    for name in NAMES
}
CURVES = {
    name: [
        {"label": label, "recall": recall, "precision": 1 - recall / 2}
        for label in ("Bark", "<Purr>")
        for recall in (0.5, 1.0)
    ]
    for name in NAMES
}
COLUMNS = ("low", "high", "pairs", "mean_score", "positive_share")
BINS = {
    name: [
        {column: None if cell == "" else cell for column, cell in zip(COLUMNS, row, strict=True)}
        for row in RELIABILITY
    ]
    for name in NAMES
}
DRAW = {
    "learning": (charts.learning_curves, HISTORIES),
    "recall": (charts.precision_recall, CURVES),
    "reliability": (charts.reliability, BINS),
}


def said(svg: str) -> list[str]:
    """The labels of the marks that hold a value."""
    return re.findall(r'<path aria-label="([^"]+)" role="graphics-symbol"', svg)


@pytest.mark.parametrize("kind", DRAW)
def test_a_chart_is_one_image_with_a_sentence_and_the_same_bytes_each_time(kind: str):
    draw, table = DRAW[kind]
    svg = draw(table)
    root = ET.fromstring(svg)  # noqa: S314
    assert root.get("role") == "img"
    assert "yamnet, joint-bahdanau" in (root.get("aria-label") or "")
    assert draw(table) == svg
    one = draw({"yamnet": table["yamnet"]})
    assert one != svg and "joint-bahdanau" not in one


def test_the_marks_say_the_measured_values():
    marks = said(charts.learning_curves(HISTORIES))
    assert "yamnet, epoch 2: 0.2000" in marks and "joint-bahdanau, epoch 3: 0.3333" in marks
    assert "yamnet: precision 0.75, recall 0.50" in said(charts.precision_recall(CURVES))
    assert "scores 0.6 to 1: mean 0.800, 0.500 of 10 pairs positive" in said(
        charts.reliability(BINS)
    )


def test_calibration_error_weighs_bins_by_their_pairs():
    assert charts.calibration_error(BINS["yamnet"]) == pytest.approx(CALIBRATION_ERROR)
    assert charts.calibration_error([]) is None
    assert charts.calibration_error([BINS["yamnet"][1]]) is None
    assert f"{CALIBRATION_ERROR:.4f}" in charts.reliability(BINS)
    assert "fraction of positives" in charts.reliability(BINS)


def test_variants_differ_in_colour_dash_and_marker():
    assert tuple(row.variant for row in paper.ABLATION) == chart_style.KNOWN
    keys = chart_style.key([*chart_style.KNOWN, "mine"])
    for what in ("colour", "dash", "marker"):
        assert len({entry[what] for entry in keys}) == len(keys)
    assert all(re.fullmatch(r"var\(--series-\d, #\w{6}\)", entry["colour"]) for entry in keys)
    assert chart_style.key(["joint-bahdanau"])[0] == keys[4]  # alone or among others
    most = chart_style.key(["joint-none", "joint-bahdanau", "a", "b", "c", "d", "e"])
    assert len({entry["colour"] for entry in most}) == len(chart_style.COLOURS) == len(most)


def test_colours_reach_the_svg_as_variables_with_a_fallback():
    svg = charts.learning_curves(HISTORIES)
    assert 'stroke="var(--series-1, #6b7280)"' in svg
    assert 'fill="var(--quiet, #5b6570)"' in svg


def test_ids_of_clip_paths_are_made_of_the_content():
    texts = []
    for name in ("one", "two", "one"):
        chart = charts.alt.Chart(charts.alt.Data(values=[{"x": 1, "y": 2}])).mark_line(clip=True)
        texts.append(chart_style.to_svg(chart.encode(x="x:Q", y="y:Q"), name))
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in texts]
    used = [set(re.findall(r"url\(#([^)]+)\)", text)) for text in texts]
    assert ids[0] and used == ids
    assert texts[0] == texts[2]


def test_curves_with_many_points_keep_few_markers_and_do_not_share_their_places():
    rows = [{"x": n} for n in range(40)]
    first, second = (
        [row["order"] for row in chart_style.marked(rows, shift) if row["marked"]]
        for shift in (0, 1)
    )
    assert 5 <= len(first) <= chart_style.MARKERS + 1
    assert not set(first) & set(second)


def test_classes_without_training_clips_have_no_place_on_the_log_axis():
    rows = [
        {"label": label, "train_clips": clips, "APs": {"yamnet": ap}}
        for label, clips, ap in (("Bark", 4, 0.5), ("Purr", 7, 0.7), ("Rain", 0, 0.9))
    ]
    marks = said(charts_extra.ap_by_clips(rows, ["yamnet"], "yamnet"))
    assert marks == [
        "Bark: AP 0.500, 4 training clips",
        "Purr: AP 0.700, 7 training clips",
        "yamnet: mean AP 0.600 of 2 classes with about 6 clips",
    ]
    assert charts_extra.octave_means([(1, 0.5), (2, 0.1), (3, 0.3)])[1][1:] == (0.2, 2)


def test_precision_is_drawn_in_steps_from_recall_0_so_that_the_area_is_the_ap():
    svg = charts.precision_recall({"yamnet": CURVES["yamnet"]})
    paths = re.findall(r'aria-hidden="true"[^>]*? d="(M[^"]+)"|d="(M[^"]+)"[^>]*?stroke=', svg)
    drawn = [path for pair in paths for path in pair if path.count("L") > 1]
    assert drawn
    for path in drawn:
        corners = [tuple(map(float, xy.split(","))) for xy in re.split("[ML]", path)[1:]]
        assert all(x == u or y == v for (x, y), (u, v) in pairwise(corners))
