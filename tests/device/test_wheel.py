"""A wheel of the project, installed alone: a model runs without what only the pipeline needs."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from device_models import LABELS
from helpers import ROOT

# every module that runs a model or reads its file, where nothing of the pipeline can be imported
IMPORTS = """
import importlib, pkgutil, sys
import lean_audio
from lean_audio import Tagger
for package in ("cli", "tflite"):
    for module in pkgutil.iter_modules(importlib.import_module(f"lean_audio.{package}").__path__):
        if module.name != "__main__":
            importlib.import_module(f"lean_audio.{package}.{module.name}")
tagger = Tagger(sys.argv[1])
print(lean_audio.__file__, *tagger.labels, sep="\\n")
for name in ("tensorflow", "keras", "pandas", "pydantic", "scipy"):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{name} is there")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel, and beside it what it was made of."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(
        ROOT / "lean_audio", source / "lean_audio", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(
        *(sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps"),
        *("--wheel-dir", folder, source),
    )
    (path,) = folder.glob("*.whl")
    return path


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel and its dependencies."""

    binaries: Path

    def run(self, program: str, *arguments: object) -> str:
        return run(self.binaries / program, *arguments)


@pytest.fixture(scope="module")
def environment(wheel) -> Environment:
    """Use the versions that are installed here, from uv's cache or else the package index."""
    folder, versions = wheel.parent / "venv", wheel.parent / "versions.txt"
    versions.write_text(run("uv", "pip", "freeze", "--exclude-editable", *at(sys.executable)))
    run("uv", "venv", "--python", sys.executable, folder)
    install = ("uv", "pip", "install", *at(folder / "bin" / "python"), "-c", versions, wheel)
    try:
        run(*install, "--offline")
    except AssertionError:
        run(*install)
    return Environment(folder / "bin")


def at(python: object) -> tuple[object, ...]:
    return ("--quiet", "--python", python)


def run(*command: object) -> str:
    """Return what a command prints, run in another directory than the project's."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd="/", env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_package_with_its_data(wheel):
    source = wheel.parent / "source"
    files = {path for path in (source / "lean_audio").rglob("*") if path.is_file()}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("lean_audio/")}
    assert packed == {path.relative_to(source).as_posix() for path in files}
    assert "lean_audio/datasets/data/fsd50k.yaml" in packed
    assert "lean_audio/report/templates/index.html.j2" in packed


def test_the_base_dependencies_are_enough_to_import_what_runs_a_model(environment, shipped):
    file, *labels = environment.run("python", "-c", IMPORTS, shipped).splitlines()
    assert Path(file).is_relative_to(environment.binaries.parent)
    assert labels == list(LABELS)


def test_the_installed_command_shows_and_runs_a_model(environment, shipped, sound, tmp_path):
    assert "dataset: noise" in environment.run("lean-audio", "info", shipped)
    settings = ("--model", shipped, "--format", "json", "--plot", tmp_path / "out.png")
    done = json.loads(environment.run("lean-audio", "predict", sound, *settings))
    assert (done["file"], done["end_s"], len(done["labels"])) == (str(sound), 2.5, 5)
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
