"""Charts that only the report has: average precision by training clips, and .tflite files."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import altair as alt

from lean_audio.report.chart_style import (
    COLOURS,
    HEIGHT,
    WIDTH,
    Row,
    channels,
    curves,
    marked,
    place_of,
    titled,
    to_svg,
)

WIDE, TALL = 320, 220


def octave_means(points: Sequence[tuple[float, float]]) -> list[tuple[float, float, int]]:
    """Group (clips, AP) by doublings of clips: (middle of the range, mean AP, classes) of each."""
    octaves: dict[int, list[float]] = {}
    for clips, ap in points:
        octaves.setdefault(math.floor(math.log2(clips)), []).append(ap)
    return [(2.0**n * math.sqrt(2), fmean(aps), len(aps)) for n, aps in sorted(octaves.items())]


def _mean_rows(rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the points of each variant's line through the octave means."""
    means = []
    for name in names:
        points = [(row["train_clips"], ap) for row in rows if (ap := row["APs"][name]) is not None]
        means += marked(
            [
                {"x": x, "y": ap, "variant": name}
                | {"text": f"{name}: mean AP {ap:.3f} of {n} classes with about {x:.0f} clips"}
                for x, ap, n in octave_means(points)
            ]
        )
    return means


def ap_by_clips(rows: Sequence[Row], names: Sequence[str], headline: str) -> str:
    """Draw AP against training clips: the headline's classes, and every variant's octave means.

    Rows have label, train_clips and APs by variant; a class without training clips has no place
    on the log axis and is left out.
    """
    rows = [row for row in rows if row["train_clips"]]
    classes = [
        {"x": row["train_clips"], "y": ap}
        | {"text": f"{row['label']}: AP {ap:.3f}, {row['train_clips']:.0f} training clips"}
        for row in rows
        if (ap := row["APs"][headline]) is not None
    ]
    x = alt.X(
        "x:Q",
        title="training clips of the class (log)",
        scale=alt.Scale(type="log", nice=False, padding=12),
    )
    x = x.axis(format="~s", values=[n * 10**p for p in range(6) for n in (1, 2, 5)], grid=False)
    y = alt.Y("y:Q", title="average precision", scale=alt.Scale(domain=[0, 1]))
    dots = alt.Chart(alt.Data(values=classes)).mark_point(
        color=COLOURS[place_of(headline, names)], size=26, strokeWidth=1.2, opacity=0.5
    )
    lines = curves(_mean_rows(rows, names), x, y, names, False)
    chart = alt.layer(dots.encode(x, y, description="text:N"), lines)
    sentence = (
        f"Average precision of {headline} against the number of training clips for "
        f"{len(classes)} classes, and each variant's mean per doubling of the clips."
    )
    return to_svg(chart.properties(width=WIDE, height=TALL), sentence)


def _device_rows(schemes: Sequence[Row], keras: float, thread: str) -> list[dict[str, Any]]:
    return [
        {"variant": row["name"], "mAP": row["mAP"], "MB": row["megabytes"]}
        | {"times": row["against"][thread]}
        | {"low": keras - row["mAP_drop_ci95"][1], "high": keras - row["mAP_drop_ci95"][0]}
        | {
            "text": f"{row['name']}: mAP {row['mAP']:.4f}, {row['megabytes']:.2f} MB, "
            f"{row['against'][thread]:.2f} times as long as plain YAMNet"
        }
        for row in schemes
    ]


def _device_panel(rows: Sequence[dict[str, Any]], column: str, axis: str, title: str) -> Any:
    names = [row["variant"] for row in rows]
    color, _, shape = channels(names, False)
    x = alt.X(f"{column}:Q", title=axis, scale=alt.Scale(zero=True, nice=True))
    y = alt.Y("mAP:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(format=".3f"))
    base = alt.Chart(alt.Data(values=tuple(rows))).encode(x, color)
    spans = base.mark_rule(strokeWidth=1.5, opacity=0.7, aria=False)
    points = base.mark_point(filled=True, size=90, opacity=1).encode(y, shape, description="text:N")
    layers = alt.layer(spans.encode(alt.Y("low:Q"), alt.Y2("high:Q")), points)
    return titled(layers.properties(width=WIDTH, height=HEIGHT), title)


DEVICE_PANELS: Mapping[str, tuple[str, str]] = {
    "MB": ("size, MB", "mAP by size"),
    "times": ("time per chunk, relative to plain YAMNet", "mAP by time"),
}


def device_panels(schemes: Sequence[Row], keras: float, thread: str) -> list[str]:
    """Draw mAP with the interval of its drop against size and against time: two charts."""
    rows = _device_rows(schemes, keras, thread)
    names = ", ".join(row["variant"] for row in rows)
    return [
        to_svg(
            _device_panel(rows, column, axis, title),
            f"mAP of each .tflite file against {axis}: {names}.",
        )
        for column, (axis, title) in DEVICE_PANELS.items()
    ]
