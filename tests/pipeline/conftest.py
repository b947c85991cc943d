"""Clones of the project in which DVC really runs, on a tiny demo set and for two epochs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers import ROOT
from ruamel.yaml import YAML

TINY = [
    ("    clips: 400", "    clips: 60"),  # of the demo
    ("epochs: 40", "epochs: 2"),  # of plus and its ingredients too
    ("probe_clips: 400", "probe_clips: 4"),
    ("resamples: 1000", "resamples: 50"),
    ("timed_chunks: 100", "timed_chunks: 20"),
]


class Clone:
    """A working copy with its own DVC cache, and the commands a user would type in it."""

    def __init__(self, root: Path):
        self.root = root
        binaries = Path(sys.executable).parent
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        }

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, *command: str, fails: bool = False) -> str:
        """The command's output, both streams; asserts that it succeeds or fails as expected."""
        process = self.start(*command)
        output, _ = process.communicate()
        assert (process.returncode != 0) == fails, output
        return output

    def stage(self, name: str, *arguments: str, fails: bool = False) -> str:
        return self.run(sys.executable, "-m", f"stages.{name}", *arguments, fails=fails)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def cached(self) -> set[str]:
        """The MD5 of every file in the clone's own DVC cache."""
        found = (self.root / ".dvc/cache/files/md5").rglob("*")
        return {path.parent.name + path.name for path in found if path.is_file()}

    def hashes(self) -> dict[str, str]:
        """Of every output in dvc.lock."""
        lock = YAML(typ="safe").load((self.root / "dvc.lock").read_text())
        stages = lock["stages"].values()
        return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}


@pytest.fixture(scope="session")
def make_clone(tmp_path_factory) -> Callable[[], Clone]:
    """Each call makes a fresh clone of the project as it stands, changes included."""

    def make() -> Clone:
        root = tmp_path_factory.mktemp("clone") / "lean"
        clone = Clone(root)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(root)], check=True)
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, root / name)
        for old, new in TINY:
            clone.edit("params.yaml", old, new)
        clone.run("git", "config", "user.email", "test@localhost")
        clone.run("git", "config", "user.name", "test")
        clone.run("git", "add", "--all")
        clone.run("git", "commit", "--quiet", "--message", "tiny")
        return clone

    return make


@pytest.fixture(scope="session")
def finished(make_clone) -> Clone:
    """A clone in which `dvc repro` has run once, from nothing."""
    clone = make_clone()
    clone.run("dvc", "repro")
    return clone


@pytest.fixture(scope="session")
def model(finished) -> Path:
    return finished.root / "models" / "demo" / "lean.tflite"


@pytest.fixture
def sound(tmp_path) -> Path:
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 40_000), 16_000)
    return path
