"""The charts' common style, and their rendering to SVG with the same bytes on every run.

Colours are CSS variables with a fallback. On a page that defines `--series-1` and so on, charts
follow its light, dark and print colours; in a file of its own a chart shows the fallbacks.
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
SHAPES = {  # marker -> its path in 12 by 12 units, for the key beside the charts
    "circle": "M2.5 6a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
    "square": "M2.5 2.5h7v7h-7z",
    "triangle-up": "M6 2l4.5 8h-9z",
    "diamond": "M6 1.2l4 4.8l-4 4.8l-4-4.8z",
    "triangle-down": "M6 10l4.5-8h-9z",
    "cross": "M4.5 1.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
    "triangle-right": "M10 6l-8 4.5v-9z",
}
MARKERS = 7  # on one curve, so it can be recognized without its colour
WIDTH, HEIGHT = 256, 170
FONT = "Roboto, system-ui, sans-serif"  # vl-convert ships Roboto: same text widths everywhere
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
MARK = "\ue000"  # for private use in Unicode, so it occurs in no label


def place_of(name: str, names: Sequence[str]) -> int:
    """Return the index of a variant's colour, dash and shape: its own if known, else a free one."""
    if name in KNOWN:
        return KNOWN.index(name)
    others = [other for other in names if other not in KNOWN]
    unused = [place for place, known in enumerate(KNOWN) if known not in names]
    free = [*range(len(KNOWN), len(COLOURS)), *unused]
    return free[others.index(name) % len(free)]


def to_svg(chart: alt.TopLevelMixin, sentence: str) -> str:
    """Render a chart.

    vl-convert numbers its clip paths over the life of the process. They are renamed after a hash of
    the content, so they neither change from run to run nor collide on one page. The chart is not
    validated against Vega-Lite's schema, because loading the schema takes longer than rendering.

    Parameters
    ----------
    chart
        An Altair chart.
    sentence
        What it shows, for readers who cannot see it.
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
    """Encode each model by colour, dash and marker, always by all three."""
    places = [place_of(name, names) for name in names]
    kinds = ((alt.Color, COLOURS), (alt.StrokeDash, DASHES), (alt.Shape, tuple(SHAPES)))
    return [
        kind("variant:N", legend=alt.Legend() if legend else None).scale(
            domain=list(names), range=[values[place] for place in places]
        )
        for kind, values in kinds
    ]


def key(names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the key beside the charts: name, colour, dash and marker of each model."""
    shapes = tuple(SHAPES.values())
    return [
        {"name": name, "colour": COLOURS[place], "marker": shapes[place]}
        | {"dash": " ".join(map(str, DASHES[place]))}
        for name in names
        for place in [place_of(name, names)]
    ]


def marked(rows: Sequence[dict[str, Any]], shift: int = 0) -> list[dict[str, Any]]:
    """Number the rows of one curve and choose about MARKERS of them to get a marker.

    shift: moves the markers along the curve, so markers of curves that overlap stay visible.
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
    """Draw one line per model; each marker has its row's text as its accessible description.

    rows: x, y, variant, text, order and marked, see `marked`.
    """
    color, dash, shape = channels(names, legend)
    base = alt.Chart(alt.Data(values=tuple(rows))).encode(x, y, color)  # it copies lists
    line = base.mark_line(strokeWidth=1.75, aria=False, interpolate=interpolate).encode(
        dash, order="order:Q"
    )
    points = base.mark_point(filled=True, size=34, opacity=1).transform_filter("datum.marked")
    return alt.layer(line, points.encode(shape, description="text:N"))


def titled(chart: Any, title: str, subtitle: str = "") -> Any:
    """Put a title, and a subtitle in smaller type, above a chart."""
    name = alt.Title(title, subtitle=subtitle, limit=WIDTH * 0.9)
    return chart.properties(title=name)
