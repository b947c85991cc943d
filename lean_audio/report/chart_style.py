"""How our charts look, and how one becomes SVG text: the same bytes each time.

Colours are CSS variables with a fallback: a page that defines `--series-1` and so on has its
charts follow its light, dark and print colours; a file by itself shows the fallbacks.
"""

import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt
import vl_convert

Row = Mapping[str, Any]

KNOWN = ("yamnet", "yamnet-projection", "joint-none", "joint-affinity", "joint-bahdanau")
INK, QUIET, LINE = "var(--ink, #1c2024)", "var(--quiet, #5b6570)", "var(--line, #dfe3e8)"
FALLBACKS = ("#6b7280", "#0068b3", "#b85400", "#9b3d92", "#00785a", "#8a1c2b", "#5f5a00")
COLOURS = tuple(f"var(--series-{n}, {colour})" for n, colour in enumerate(FALLBACKS, 1))
DASHES = ([2, 2], [8, 3], [4, 2], [9, 3, 2, 3], [1, 0], [12, 4], [6, 2, 2, 2])
SHAPES = {  # and what each looks like in 12 by 12 units, for a key beside the charts
    "circle": "M2.5 6a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
    "square": "M2.5 2.5h7v7h-7z",
    "triangle-up": "M6 2l4.5 8h-9z",
    "diamond": "M6 1.2l4 4.8l-4 4.8l-4-4.8z",
    "triangle-down": "M6 10l4.5-8h-9z",
    "cross": "M4.5 1.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
    "triangle-right": "M10 6l-8 4.5v-9z",
}
MARKERS = 7  # on one curve, so that its shape can be told without its colour
WIDTH, HEIGHT = 256, 170
FONT = "Roboto, system-ui, sans-serif"  # vl-convert brings Roboto: text is measured alike anywhere
CONFIG: dict[str, Any] = {
    "background": None,
    "font": FONT,
    "padding": 4,
    "view": {"stroke": None},
    "concat": {"spacing": 28},
    "title": {"anchor": "start", "color": INK, "fontSize": 13, "fontWeight": 600, "offset": 8}
    | {"subtitleColor": QUIET, "subtitleFontSize": 11, "subtitlePadding": 3},
    "axis": {"labelColor": QUIET, "titleColor": QUIET, "labelFontSize": 11, "titleFontSize": 11}
    | {"titleFontWeight": 400, "gridColor": LINE, "domainColor": LINE, "ticks": False}
    | {"labelPadding": 6, "titlePadding": 8, "tickCount": 5, "domain": False},
    "legend": {"labelColor": INK, "labelFontSize": 11, "symbolSize": 60, "symbolStrokeWidth": 0}
    | {"columns": 5, "columnPadding": 28, "labelLimit": 0, "title": None, "orient": "bottom"},
}
MARK = "\ue000"  # stands for itself in no label: Unicode leaves it to private use


def place_of(name: str, names: Sequence[str]) -> int:
    """Which colour, dash and shape a variant has: its own if known, else the next that is free."""
    others = [other for other in names if other not in KNOWN]
    place = KNOWN.index(name) if name in KNOWN else len(KNOWN) + others.index(name)
    return place % len(COLOURS)


def to_svg(chart: alt.TopLevelMixin, sentence: str) -> str:
    """Render; `sentence` says what the chart shows to those who cannot see it.

    vl-convert numbers its clip paths through the life of the process: they get names made of
    the content, so that they neither change from run to run nor collide on one page.
    It is not checked against Vega-Lite's schema, which would have to be read for that: the same
    bytes, sooner.
    """
    svg = vl_convert.vegalite_to_svg(chart.to_dict(validate=False), vl_version="6.4", config=CONFIG)
    ids = dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg))
    for number, name in enumerate(ids):
        svg = re.sub(rf'(\bid="|url\(#){re.escape(name)}(?=["\)])', rf"\g<1>{MARK}{number}", svg)
    content = hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = svg.replace(MARK, f"c{content}-")
    label = html.escape(" ".join(sentence.split()))
    return svg.replace(' version="1.1"', f' role="img" aria-label="{label}"', 1)


def channels(names: Sequence[str], legend: bool) -> list[Any]:
    """Colour, dash and marker of each variant, always all three."""
    places = [place_of(name, names) for name in names]
    kinds = ((alt.Color, COLOURS), (alt.StrokeDash, DASHES), (alt.Shape, tuple(SHAPES)))
    return [
        kind("variant:N", legend=alt.Legend() if legend else None).scale(
            domain=list(names), range=[values[place] for place in places]
        )
        for kind, values in kinds
    ]


def key(names: Sequence[str]) -> list[dict[str, Any]]:
    """What stands beside the charts: name, colour, dash and marker of each variant."""
    shapes = tuple(SHAPES.values())
    return [
        {"name": name, "colour": COLOURS[place], "marker": shapes[place]}
        | {"dash": " ".join(map(str, DASHES[place]))}
        for name in names
        for place in [place_of(name, names)]
    ]


def marked(rows: Sequence[dict[str, Any]], shift: int = 0) -> list[dict[str, Any]]:
    """The rows of one curve in order, about MARKERS of them to be drawn with a marker.

    `shift` moves the markers along, so that those of curves on top of each other all show.
    """
    step = max(1, -(-len(rows) // MARKERS))
    return [{**row, "order": n, "marked": n % step == shift % step} for n, row in enumerate(rows)]


def curves(
    rows: Sequence[dict[str, Any]],
    x: alt.X,
    y: alt.Y,
    names: Sequence[str],
    legend: bool,
    interpolate: Literal["linear", "step-before"] = "linear",
) -> Any:
    """One line a variant through `x`, `y`; its markers say their `text`."""
    color, dash, shape = channels(names, legend)
    base = alt.Chart(alt.Data(values=tuple(rows))).encode(x, y, color)  # Altair copies lists anew
    line = base.mark_line(strokeWidth=1.75, aria=False, interpolate=interpolate).encode(
        dash, order="order:Q"
    )
    points = base.mark_point(filled=True, size=34, opacity=1).transform_filter("datum.marked")
    return alt.layer(line, points.encode(shape, description="text:N"))


def titled(chart: Any, title: str, subtitle: str = "") -> Any:
    """The chart under its title; a subtitle stands below in smaller type."""
    name = alt.Title(title, subtitle=subtitle, limit=WIDTH * 0.9)
    return chart.properties(title=name)
