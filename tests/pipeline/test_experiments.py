"""`dvc exp run -S attention=affinity`, once: what it runs, what DVC shows, what MLflow holds."""

import json
import re

import pytest
import vl_convert
from helpers import RUNS, VARIANTS, local, runs
from tracked import snapshot

pytestmark = pytest.mark.specialist  # tests/pipeline/test_reruns.py has its core
QUICK = "quantize.schemes=[float32]"


@pytest.fixture(scope="module")
def affinity(module_copy) -> str:
    """What the experiment prints; its results are in the workspace while these tests run."""
    experiment = ("dvc", "exp", "run", "--name", "other", "--set-param", "attention=affinity")
    return module_copy.run(*experiment, "--set-param", QUICK)


def test_it_runs_what_is_made_of_the_headline_alone(module_copy, affinity):
    ran = re.findall(r"(?:Running stage|Stage) '(\S+)'(?::| is cached)", affinity)
    made = {"examples", "quantize", "evaluate_device", "review"}
    assert (ran[0], set(ran[1:-2]), ran[-2:]) == ("headline", made, ["report", "track"])
    assert "shipped.json" in module_copy.run("dvc", "metrics", "show")


def test_diffs_set_it_beside_what_is_committed(module_copy, affinity):
    changed = json.loads(module_copy.run("dvc", "metrics", "diff", "--json").splitlines()[-1])
    assert set(changed) == {"metrics/demo/shipped.json"}
    assert changed["metrics/demo/shipped.json"]["mAP"]["diff"]
    output = module_copy.run("dvc", "plots", "diff", "HEAD", "workspace", "--json")
    (plot,) = json.loads(output[output.index("{") :])["data"]["AP by class"]
    assert set(plot["revisions"]) == {"HEAD", "workspace"}
    assert "<path" in vl_convert.vegalite_to_svg(plot["content"])
    table = module_copy.run("dvc", "exp", "show", "--csv")
    assert "other" in table and "attention" in table


def test_it_adds_what_it_measured_and_no_run(module_copy, affinity):
    """Its device metrics, on the run that there was."""
    found = snapshot(local(module_copy.root))
    assert len(runs(local(module_copy.root))) == len(VARIANTS)
    assert set(found) == RUNS
    assert "device/float32/bytes" in found["joint-affinity-1"]["metrics"]


def test_going_back_runs_nothing_that_was_computed_before(module_copy, affinity):
    root = module_copy.root
    before = snapshot(local(root))
    module_copy.run("git", "checkout", "--quiet", "params.yaml")
    output = module_copy.run("dvc", "repro")
    assert not re.search(r"stages\.(train|evaluate|quantize|examples|headline)", output)
    assert snapshot(local(root)) == before
    assert len(runs(local(root))) == len(VARIANTS)
