"""DVC's own views of the results, as they come out of the box."""

import json

import vl_convert

VARIANTS = ("yamnet", "yamnet-projection", "joint-none", "joint-affinity", "joint-bahdanau")
TOGETHER = {
    "validation mAP": "history",
    "training loss": "history",
    "AP by class": "classes",
    "precision and recall": "pr",
    "reliability": "reliability",
}


def plots(clone, *command: str) -> dict[str, list]:
    output = clone.run("dvc", "plots", *command, "--json")
    return json.loads(output[output.index("{") :])["data"]


def test_plots_lay_all_variants_over_each_other(finished):
    shown = plots(finished, "show")
    for name, kind in TOGETHER.items():
        (plot,) = shown[name]
        points = plot["content"]["data"]["values"]
        assert {point["filename"] for point in points} == {f"{v}.{kind}.csv" for v in VARIANTS}
        assert "<path" in vl_convert.vegalite_to_svg(plot["content"])


def test_diffs_set_an_experiment_beside_what_is_committed(finished):
    finished.run("git", "add", "--all")
    finished.run("git", "commit", "--quiet", "--allow-empty", "--message", "results")
    finished.run("dvc", "exp", "run", "--name", "other", "--set-param", "attention=affinity")
    changed = json.loads(finished.run("dvc", "metrics", "diff", "--json").splitlines()[-1])
    assert set(changed) == {"metrics/demo/shipped.json"}
    assert changed["metrics/demo/shipped.json"]["mAP"]["diff"]
    (plot,) = plots(finished, "diff", "HEAD", "workspace")["AP by class"]
    assert set(plot["revisions"]) == {"HEAD", "workspace"}
    assert "<path" in vl_convert.vegalite_to_svg(plot["content"])
    table = finished.run("dvc", "exp", "show", "--csv")
    assert "other" in table and "attention" in table
    finished.run("git", "checkout", "--quiet", ".")
    finished.run("dvc", "checkout", "--quiet")
