"""dvc.yaml says all that a stage depends on: its script, its packages, its parameters."""

import ast
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from lean_audio.config.datasets import Folder

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "lean_audio"
FILES = [ROOT / "dvc.yaml", *sorted((ROOT / "datasets").glob("*/dvc.yaml"))]
STAGES = {
    f"{file.parent.name}/{name}" if file.parent != ROOT else name: stage
    for file in FILES
    for name, stage in YAML(typ="safe").load(file.read_text())["stages"].items()
}
# Packages that cannot change a result: settings are under `params:`, the others say how the work is
# done and shown. `stages/__init__.py` only starts and ends a stage.
NO_DEPENDENCY = {"config", "parallel", "errors.py", "files.py", "notices.py", "__init__.py"}
NO_DEPENDENCY |= {"screen.py", "quiet_keras.py"}
OBSERVERS = {"lean_audio.tracking.live"}  # a training that is logged has the same outputs
# Settings that no stage depends on, and the ones that reach it through paths: of the data, of
# weights and embedder (backbone, front end), of heads (which model is quantized).
HOW = {"compute", "cluster"}
IN_PATHS = {"paths", "dataset", "source", "synthetic", "seed", "shown", "model"}
UPSTREAM = {"backbone", "embed"}
SOURCES = {"weights", "embedder"}  # the stages that backbone and front end enter by


def module_path(name: str) -> Path | None:
    path = ROOT / Path(*name.split("."))
    found = [path.with_suffix(".py"), path / "__init__.py"]
    return next((file for file in found if file.is_file()), None)


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    if "lean_audio.backbones.base.load_backbone" in names:
        names.add("lean_audio.backbones.yamnet")  # the default of `backbone`
    return {name for name in names if name.startswith("lean_audio.")}


@cache
def closure(path: Path) -> frozenset[Path]:
    found = {path}
    watched_by = OBSERVERS if path.parent.name == "stages" else set()
    for name in imported(path) - watched_by:
        module = module_path(name)
        if module and module not in found:
            found |= closure(module)
    return frozenset(found)


def script(name: str) -> Path:
    return ROOT / "stages" / f"{name.split('/')[-1]}.py"


def dependency(path: Path) -> str | None:
    """The folder of lean_audio/ that a module is in, or the module at the top."""
    top = path.relative_to(PACKAGE).parts[0]
    return None if top in NO_DEPENDENCY else f"lean_audio/{top}"


def chains(path: Path) -> set[str]:
    """Every `params.a.b` read in a file, as "a.b"."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id == "params" and parts:
            found.add(".".join(reversed(parts)))
    return {chain for chain in found if not any(other.startswith(f"{chain}.") for other in found)}


def stated_params(stage: dict) -> set[str]:
    stated: set[str] = set()
    for entry in stage.get("params", []):
        stated |= (
            {prefix(file) + key for file, keys in entry.items() for key in keys}
            if isinstance(entry, dict)
            else {entry}
        )
    return stated


def prefix(file: str) -> str:
    """Tell a setting of a dataset from one in params.yaml, which may have the same name."""
    return f"{file.removesuffix('/params.yaml')}:" if file.startswith("datasets/") else ""


@pytest.mark.parametrize("name", STAGES)
def test_stage_depends_on_its_script_and_every_package_it_imports(name):
    stated = {dep for dep in STAGES[name]["deps"] if dep.startswith(("lean_audio/", "stages/"))}
    modules = closure(script(name)) - {script(name)}
    needed = {dependency(path) for path in modules} - {None}
    assert stated == needed | {f"stages/{script(name).name}"}


@pytest.mark.parametrize("name", STAGES)
def test_every_dependency_exists_and_is_named_once(name):
    stated = STAGES[name]["deps"]
    assert len(set(stated)) == len(stated)
    for dep in stated:
        assert (
            "${" in dep or dep.startswith(("data/", "models/", "metrics/")) or (ROOT / dep).exists()
        )


OWN_SOUNDS = {
    f"datasets/${{name}}:{key}" for key in Folder.model_fields if key not in ("kind", "train")
} | {"prepare.hop_s", "prepare.tail"}  # recordings are cut into clips
EXACT = {  # what is read through functions rather than as params.a.b
    "train": {
        *("train", "datasets/${dataset}:train"),
        *("models.${item.model}.network", "models.${item.model}.train"),
    },
    "cost": {"models.${item.model}.network"},
    "quantize": {"prepare.hop_s.eval", "prepare.resampler", "prepare.tail", "quantize"},
    "headline": {"attention", "headline", "seeds"},
    "report": {
        *("attention", "headline", "variants", "seeds", "train", "datasets/${dataset}:train")
    },
    "demo/download": {"datasets/demo:clips"},
    "sounds/download": OWN_SOUNDS,
    "real-sounds/download": OWN_SOUNDS,
    "fsd50k/download": {f"datasets/fsd50k:{key}" for key in ("base_url", "licences", "manifest")},
}


@pytest.mark.parametrize("name", STAGES)
def test_stage_lists_the_params_it_reads_and_no_others(name):
    stated = stated_params(STAGES[name])
    read = set(EXACT.get(name, ()))
    for chain in chains(script(name)):
        top = chain.split(".")[0]
        passed_on = UPSTREAM if name not in SOURCES else set()
        if top in HOW | IN_PATHS | passed_on | {"recipe", "settings_sha256", "network_sha256"}:
            continue
        if chain != "prepare" or name == "prepare":
            read.add(chain)
    unlisted = {key for key in read if not any(covers(s, key) for s in stated)}
    unread = {s for s in stated if not any(covers(s, key) for key in read)}
    assert not unlisted
    assert not unread


def covers(stated: str, key: str) -> bool:
    return key == stated or key.startswith(f"{stated}.") or stated.startswith(f"{key}.")


@pytest.mark.parametrize("name", STAGES)
def test_stage_has_a_description_and_a_short_script(name):
    assert STAGES[name]["desc"]
    assert len(script(name).read_text().splitlines()) <= 40


def test_every_script_is_a_stage():
    scripts = {script(name).stem for name in STAGES}
    assert {path.stem for path in (ROOT / "stages").glob("*.py")} == scripts | {"__init__"}


def test_outputs_of_datasets_live_apart():
    for name, stage in STAGES.items():
        dataset = name.split("/")[0] if "/" in name else "${dataset}"
        dataset = "${name}" if dataset in ("sounds", "real-sounds") else dataset
        for out in [out for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]:
            path = out if isinstance(out, str) else next(iter(out))
            assert f"/{dataset}/" in f"{path}/"


def test_names_of_models_are_quoted_by_dvc():
    """`${item}` becomes options whose values DVC quotes; a name alone would reach the shell."""
    for stage in STAGES.values():
        assert "${item." not in stage["cmd"]
        assert ("${item}" in stage["cmd"]) == ("matrix" in stage)


def test_the_pipeline_can_be_read_at_a_sitting():
    limits = {"dvc.yaml": 350, "dvc.lock": 1700, "params.yaml": 170}
    for name, limit in limits.items():
        assert len((ROOT / name).read_text().splitlines()) <= limit, name
