"""DVC's own views of the results, as they come out of the box."""

import json

import vl_convert
from helpers import ALL_VARIANTS

TOGETHER = {
    "validation mAP": "history",
    "training loss": "history",
    "AP by class": "tables/classes",
    "precision and recall": "tables/pr",
    "reliability": "tables/reliability",
}


def plots(clone, *command: str) -> dict[str, list]:
    output = clone.run("dvc", "plots", *command, "--json")
    return json.loads(output[output.index("{") :])["data"]


def test_plots_lay_all_variants_over_each_other(finished):
    shown = plots(finished, "show")
    for name, kind in TOGETHER.items():
        (plot,) = shown[name]
        points = plot["content"]["data"]["values"]
        assert {point["filename"] for point in points} == {
            f"{variant}-1/{kind}.csv" for variant in ALL_VARIANTS
        }
        assert "<path" in vl_convert.vegalite_to_svg(plot["content"])
