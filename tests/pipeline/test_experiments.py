"""`dvc exp run -S attention=affinity`, once: what it runs, what DVC shows, what MLflow holds."""

import json
import re
from collections.abc import Iterator

import pytest
import vl_convert
from helpers import VARIANTS, local, runs
from tracked import snapshot

QUICK = "quantize.schemes=[float32,weight_only_int8]"


@pytest.fixture(scope="module")
def affinity(finished) -> Iterator[str]:
    """What the experiment prints; its results are in the workspace while these tests run."""
    finished.run("git", "add", "--all")
    finished.run("git", "commit", "--quiet", "--allow-empty", "--message", "results")
    experiment = ("dvc", "exp", "run", "--name", "other", "--set-param", "attention=affinity")
    yield finished.run(*experiment, "--set-param", QUICK)
    finished.run("git", "checkout", "--quiet", ".")
    finished.run("dvc", "checkout", "--quiet")


def test_it_runs_what_is_made_of_the_headlined_variant_alone(finished, affinity):
    assert re.findall(r"(?:Running stage|Stage) '(\S+)'(?::| is cached)", affinity) == [
        *("examples", "quantize", "evaluate_device", "report", "track")
    ]
    assert "joint-affinity" in finished.run("dvc", "metrics", "show")


def test_diffs_set_it_beside_what_is_committed(finished, affinity):
    changed = json.loads(finished.run("dvc", "metrics", "diff", "--json").splitlines()[-1])
    assert set(changed) == {"metrics/demo/shipped.json"}
    assert changed["metrics/demo/shipped.json"]["mAP"]["diff"]
    output = finished.run("dvc", "plots", "diff", "HEAD", "workspace", "--json")
    (plot,) = json.loads(output[output.index("{") :])["data"]["AP by class"]
    assert set(plot["revisions"]) == {"HEAD", "workspace"}
    assert "<path" in vl_convert.vegalite_to_svg(plot["content"])
    table = finished.run("dvc", "exp", "show", "--csv")
    assert "other" in table and "attention" in table


def test_it_adds_what_it_measured_and_no_run(finished, affinity):
    """Its device metrics, on the run that there was."""
    root = finished.root
    before = snapshot(local(root))
    assert len(runs(local(root))) == len(VARIANTS)
    assert "device/float32/bytes" in before["joint-affinity"]["metrics"]
    finished.run("git", "checkout", "--quiet", "params.yaml")
    finished.run("dvc", "repro")
    assert snapshot(local(root)) == before
    assert len(runs(local(root))) == len(VARIANTS)
