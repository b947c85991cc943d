"""Charts of one or more runs as SVG: pure functions from tables to text.

Every function takes one table per variant, with rows as in the CSV files and numbers as floats.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from lean_audio.report.chart_style import (
    COLOURS,
    HEIGHT,
    QUIET,
    SHAPES,
    WIDTH,
    Row,
    curves,
    marked,
    place_of,
    titled,
    to_svg,
)


def _history_panel(
    histories: Mapping[str, Sequence[Row]], column: str, title: str, legend: bool
) -> alt.LayerChart:
    names = list(histories)
    rows = [
        point
        for shift, name in enumerate(names)
        for point in marked(
            [
                {"x": row["epoch"], "y": row[column], "variant": name}
                | {"text": f"{name}, epoch {row['epoch']:.0f}: {row[column]:.4f}"}
                for row in histories[name]
                if row[column] is not None
            ],
            shift,
        )
    ]
    log = column != "val_mAP" and all(row["y"] > 0 for row in rows)
    x = alt.X("x:Q", title="epoch", axis=alt.Axis(grid=False, tickMinStep=1, format="d"))
    y = alt.Y("y:Q", title=None, scale=_log() if log else alt.Scale())
    panel = curves(rows, x, y, names, legend).properties(width=WIDTH, height=HEIGHT)
    return titled(panel, f"{title}, log scale" if log else title)


def _log() -> alt.Scale:
    return alt.Scale(type="log", nice=False)


HISTORY_PANELS = {
    "val_mAP": "Validation mAP",
    "loss": "Training loss",
    "val_loss": "Validation loss",
}


def learning_sentence(histories: Mapping[str, Sequence[Row]], what: str) -> str:
    """Describe a learning chart in words."""
    epochs = max((len(rows) for rows in histories.values()), default=0)
    return f"{what} over {epochs} epochs for {', '.join(histories)}."


def learning_panels(histories: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """Draw validation mAP, training loss and validation loss by epoch: one chart each."""
    return [
        to_svg(_history_panel(histories, column, title, False), learning_sentence(histories, title))
        for column, title in HISTORY_PANELS.items()
    ]


def learning_curves(histories: Mapping[str, list[dict[str, Any]]]) -> str:
    """Draw validation mAP and both losses by epoch, side by side in one chart."""
    panels = [_history_panel(histories, *names, True) for names in HISTORY_PANELS.items()]
    return to_svg(
        alt.concat(*panels, columns=3), learning_sentence(histories, "Validation mAP and losses")
    )


def _recall_points(name: str, rows: Sequence[Row], label: str) -> list[dict[str, Any]]:
    """Start at recall 0, where the precision is that of the first point."""
    points = [(row["recall"], row["precision"]) for row in rows if row["label"] == label]
    return [
        {"x": recall, "y": precision, "variant": name}
        | {"text": f"{name}: precision {precision:.2f}, recall {recall:.2f}"}
        for recall, precision in [(0.0, precision) for _, precision in points[:1]] + points
    ]


def _recall_panel(
    curves_of: Mapping[str, Sequence[Row]], label: str, legend: bool
) -> alt.LayerChart:
    names = list(curves_of)
    rows = [
        point
        for shift, name in enumerate(names)
        for point in marked(_recall_points(name, curves_of[name], label), shift)
    ]
    unit = alt.Scale(domain=[0, 1])
    axes = alt.X("x:Q", title="recall", scale=unit), alt.Y("y:Q", title="precision", scale=unit)
    steps = curves(rows, *axes, names, legend, "step-before")  # the area under it is the AP
    return titled(steps.properties(width=WIDTH, height=HEIGHT), label)


def recall_labels(curves_of: Mapping[str, Sequence[Row]]) -> list[str]:
    """List the classes that have a precision-recall curve, in the files' order."""
    return list(dict.fromkeys(row["label"] for rows in curves_of.values() for row in rows))


def recall_panels(curves_of: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """Draw precision against recall: one chart per class."""
    return [
        to_svg(
            _recall_panel(curves_of, label, False),
            f"Precision against recall for the class {label}, of {', '.join(curves_of)}.",
        )
        for label in recall_labels(curves_of)
    ]


def precision_recall(curves: Mapping[str, list[dict[str, Any]]]) -> str:
    """Draw precision against recall of the chosen classes as small multiples in one chart."""
    labels = recall_labels(curves)
    panels = [_recall_panel(curves, label, True) for label in labels]
    sentence = f"Precision against recall of {', '.join(curves)} for {', '.join(labels)}."
    return to_svg(alt.concat(*panels, columns=3), sentence)


def calibration_error(rows: Sequence[Row]) -> float | None:
    """Return the mean distance of score and fraction of positives per bin, weighted by pairs."""
    filled = [row for row in rows if row["pairs"]]
    pairs = sum(row["pairs"] for row in filled)
    distances = [row["pairs"] * abs(row["mean_score"] - row["positive_share"]) for row in filled]
    return sum(distances) / pairs if pairs else None


def _bin_text(row: Row) -> str:
    return (
        f"scores {row['low']:g} to {row['high']:g}: mean {row['mean_score']:.3f}, "
        f"{row['positive_share']:.3f} of {row['pairs']:,.0f} pairs positive"
    )


def _reliability_panel(name: str, names: Sequence[str], rows: Sequence[Row]) -> alt.VConcatChart:
    place = place_of(name, names)
    colour = COLOURS[place]
    filled = [{**row, "text": _bin_text(row)} for row in rows if row["pairs"]]
    unit, fractions = alt.Scale(domain=[0, 1]), alt.Axis(format=".1f")
    ends = alt.Data(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])
    diagonal = alt.Chart(ends).mark_line(color=QUIET, strokeDash=[3, 3], strokeWidth=1, aria=False)
    base = alt.Chart(alt.Data(values=filled)).encode(
        alt.X("mean_score:Q", title=None, scale=unit, axis=alt.Axis(labels=False)),
        alt.Y("positive_share:Q", title="fraction of positives", scale=unit, axis=fractions),
    )
    line = base.mark_line(color=colour, strokeWidth=1.75, aria=False)
    points = base.mark_point(
        color=colour, filled=True, size=46, opacity=1, shape=tuple(SHAPES)[place]
    )
    top = alt.layer(diagonal.encode(x="x:Q", y="y:Q"), line, points.encode(description="text:N"))
    bars = alt.Chart(alt.Data(values=filled)).mark_bar(color=colour, opacity=0.55)
    log = alt.Scale(type="log", domainMin=0.5, nice=False)
    pairs = alt.Axis(tickCount=3, format="~s", titlePadding=8, grid=False)
    bottom = bars.encode(
        alt.X("low:Q", title="score", scale=unit, axis=fractions),
        alt.X2("high:Q"),
        alt.Y("pairs:Q", title="pairs (log)", scale=log, axis=pairs),
        alt.Y2(datum=0.5),
        description="text:N",
    )
    stacked = alt.vconcat(
        top.properties(width=WIDTH, height=HEIGHT), bottom.properties(width=WIDTH, height=48)
    )
    error = calibration_error(rows)
    subtitle = "no pairs" if error is None else f"expected calibration error {error:.4f}"
    return titled(stacked.properties(spacing=10), name, subtitle)


def reliability_panels(bins: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """Draw fraction of positives against score, and pairs per bin: one chart per variant."""
    return [
        to_svg(
            _reliability_panel(name, list(bins), rows),
            f"Reliability of {name}: fraction of positives against mean score in {len(rows)} bins.",
        )
        for name, rows in bins.items()
    ]


def reliability(bins: Mapping[str, list[dict[str, Any]]]) -> str:
    """Draw fraction of positives against score of each variant, side by side in one chart."""
    panels = [_reliability_panel(name, list(bins), rows) for name, rows in bins.items()]
    sentence = f"Reliability of {', '.join(bins)}: fraction of positives against mean score."
    return to_svg(alt.concat(*panels, columns=3), sentence)
