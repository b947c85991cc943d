"""Clones of the project in which DVC really runs, on a tiny demo set and for two epochs."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from helpers import ALL_VARIANTS, ROOT, VARIANTS
from ruamel.yaml import YAML

TINY = [
    ("datasets/demo/params.yaml", "clips: 1200", "clips: 60"),
    ("datasets/demo/params.yaml", "{epochs: 12,", "{epochs: 2,"),
    ("params.yaml", "epochs: 40", "epochs: 2"),
    ("params.yaml", "probe_clips: 100", "probe_clips: 4"),
    ("params.yaml", "resamples: 1000", "resamples: 50"),
    ("lean_audio/device/measure.py", "TIMED_CHUNKS = 100", "TIMED_CHUNKS = 20"),
    ("models.yaml", "epochs: 20", "epochs: 2"),
    ("models.yaml", "epochs: 40", "epochs: 2"),
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
            preexec_fn=lambda: signal.signal(
                signal.SIGINT, signal.SIG_DFL
            ),  # even if ours ignores it
        )

    def run(self, *command: str, fails: bool = False) -> str:
        """Return the command's output, both streams; assert that it succeeds or fails."""
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

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", message)

    def cached(self) -> set[str]:
        """Return the MD5 of every file in the clone's own DVC cache."""
        found = (self.root / ".dvc/cache/files/md5").rglob("*")
        return {path.parent.name + path.name for path in found if path.is_file()}

    def hashes(self) -> dict[str, str]:
        """Return the MD5 of every output in dvc.lock."""
        lock = YAML(typ="safe").load((self.root / "dvc.lock").read_text())
        stages = lock["stages"].values()
        return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}

    def record(self, model: str, seed: int = 1) -> Path:
        """Return the directory of what was measured of a training."""
        return self.root / "metrics" / "demo" / "trainings" / f"{model}-{seed}"


@pytest.fixture(scope="session")
def make_clone(tmp_path_factory) -> Callable[..., Clone]:
    """Each call makes a fresh clone of the project as it stands, changes included."""

    def make(root: Path | None = None) -> Clone:
        root = root or tmp_path_factory.mktemp("clone") / "lean"
        clone = Clone(root)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(root)], check=True)
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, root / name)
        for file, old, new in TINY:
            clone.edit(file, old, new)
        left_out = "".join(f"  - {name}\n" for name in ALL_VARIANTS if name not in VARIANTS)
        for line in left_out.splitlines(keepends=True):
            clone.edit("params.yaml", line, "")
        clone.run("git", "config", "user.email", "test@localhost")
        clone.run("git", "config", "user.name", "test")
        clone.commit("tiny")
        return clone

    return make


@pytest.fixture(scope="session")
def finished(make_clone, tmp_path_factory) -> Clone:
    """A clone in which `dvc repro` has run once, from nothing; tests only read it.

    It is made once for all of pytest-xdist's workers.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    clone = Clone(shared / "finished" / "lean")
    with FileLock(shared / "finished.lock"):
        if not (done := shared / "finished.done").exists():
            shutil.rmtree(clone.root.parent, ignore_errors=True)
            clone.root.parent.mkdir()
            (shared / "screen.txt").write_text(make_clone(clone.root).run("dvc", "repro"))
            clone.commit("results")
            done.touch()
    return clone


@pytest.fixture
def screen(finished) -> str:
    """What `dvc repro` printed in the finished clone."""
    return (finished.root.parents[1] / "screen.txt").read_text()


def copy_clone(source: Clone, root: Path) -> Clone:
    """Copy a finished clone; MLflow's database names the copy's own artifacts."""
    # a lock file may be half written: other tests ask DVC in the source meanwhile
    unlocked = shutil.ignore_patterns("rwlock*")
    shutil.copytree(source.root, root, symlinks=True, ignore=unlocked)
    database = sqlite3.connect(root / "mlruns" / "mlflow.db")
    with database:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            database.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)",  # noqa: S608
                (str(source.root), str(root)),
            )
    database.close()
    return Clone(root)


@pytest.fixture
def working(finished, tmp_path) -> Clone:
    """A copy of the finished clone for one test to change."""
    return copy_clone(finished, tmp_path / "lean")


@pytest.fixture(scope="module")
def module_copy(finished, tmp_path_factory) -> Clone:
    """A copy of the finished clone for the tests of one file to change, in their order."""
    return copy_clone(finished, tmp_path_factory.mktemp("copy") / "lean")
