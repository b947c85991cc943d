"""dvc.yaml says all that a stage depends on: its script, its modules, its parameters."""

import ast
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
PIPELINE = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
DEFAULTS = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE.items()}
NO_DEPENDENCY = {"compute", "cluster"}  # how, never what
OBSERVERS = {"lean_audio.tracking.live"}  # a stage that is watched makes the same outputs
BACKBONE = "${backbone}"  # a file that the parameter names and load_backbone imports
DERIVED = {
    "paths": {"dataset"},
    "synthetic": {"dataset"},
    "root": {"dataset", "datasets"},
    "headline": {"attention"},
    "quantized": {"attention", "quantize.variant"},
    "model": {"variants", "ingredients"},
    "recipe": {"train"},
    "settings_sha256": {"variants", "ingredients", "train"},
}
VARIANT = {"examples": "variants.joint-${attention}", "quantize": "variants"}
SCRIPTS = {"ingredient": "repeat"}  # one script for two stages


def module_path(name: str) -> Path | None:
    path = ROOT / Path(*name.split("."))
    found = [path.with_suffix(".py"), *([path / "__init__.py"] if name == "lean_audio" else [])]
    return next((file for file in found if file.is_file()), None)


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    if "lean_audio.backbones.base.load_backbone" in names:
        names.add(".".join(Path(DEFAULTS["backbone"]).with_suffix("").parts))
    return {name for name in names if name.startswith("lean_audio")}


@cache
def closure(path: Path) -> frozenset[Path]:
    found = {path}
    watched_by = OBSERVERS if path.parent.name == "stages" else set()
    for name in {"lean_audio"} | imported(path) - watched_by:
        module = module_path(name)
        if module and module not in found:
            found |= closure(module)
    return frozenset(found)


def script(name: str) -> Path:
    return ROOT / "stages" / f"{SCRIPTS.get(name, name)}.py"


def chains(path: Path) -> set[str]:
    """Every `params.a.b` read in a file, as "a.b"; a dictionary lookup ends the chain."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id == "params" and parts:
            found.add(".".join(reversed(parts)))
    return {chain for chain in found if not any(other.startswith(f"{chain}.") for other in found)}


@pytest.mark.parametrize("name", STAGES)
def test_stage_lists_its_script_and_every_module_it_imports(name):
    stated = {dep.replace(BACKBONE, DEFAULTS["backbone"]) for dep in STAGES[name]["deps"]}
    stated = {dep for dep in stated if dep.endswith(".py")}
    needed = {str(path.relative_to(ROOT)) for path in closure(script(name))}
    assert stated == needed


@pytest.mark.parametrize("name", STAGES)
def test_stage_lists_exactly_the_params_it_reads(name):
    stated = set(STAGES[name]["params"])
    read = set()
    for chain in chains(script(name)):
        top = chain.split(".")[0]
        variant = {VARIANT.get(name, "variants.${key}")}
        read |= DERIVED.get(top, variant if top == "variant" else {chain})
    read -= {"repeat": {"ingredients"}, "ingredient": {"variants"}}.get(name, set())
    read = {key for key in read if key.split(".")[0] not in NO_DEPENDENCY}
    unlisted = {key for key in read if not any(covers(s, key) for s in stated)}
    unread = {s for s in stated if not any(covers(s, key) or covers(key, s) for key in read)}
    assert not unlisted
    assert not unread


def covers(stated: str, key: str) -> bool:
    return key == stated or key.startswith(f"{stated}.") or stated.startswith(f"{key}.")


@pytest.mark.parametrize("name", STAGES)
def test_stage_has_a_description_and_a_short_script(name):
    assert STAGES[name]["desc"]
    assert len(script(name).read_text().splitlines()) <= 40


def test_every_script_is_a_stage():
    scripts = {SCRIPTS.get(name, name) for name in STAGES}
    assert {path.stem for path in (ROOT / "stages").glob("*.py")} == scripts | {"__init__"}


def test_outputs_of_datasets_live_apart():
    for stage in STAGES.values():
        for out in [out for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]:
            path = out if isinstance(out, str) else next(iter(out))
            assert "/${dataset}/" in f"{path}/"
