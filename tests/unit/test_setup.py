"""First contact: `make setup` refuses in one sentence what cannot work; a download needs no git."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pip
import pytest
from helpers import ROOT

UNREACHABLE = "http://127.0.0.1:9/simple"
BINARIES = Path(sys.executable).parent
# A Python that is whatever one test says, and else the real one.
FAKE = """#!/bin/sh
case "$*" in {cases}
*) exec {real} "$@" ;; esac
"""
# Virtual environments that are ready at once: of pip and uv they have what the test says.
BARE = """*-m\\ venv*) {real} -m venv --without-pip --clear "$4" && ln -s {uv} "$4/bin/uv" &&
cd "$4"/lib/python*/site-packages && ln -s {pip} pip ;;"""


def copy(target: Path, *names: str) -> Path:
    """Copy parts of the project, as a download has them: without git."""
    for name in names:
        ignored = shutil.ignore_patterns("__pycache__")
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=ignored)
        else:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def download(folder: Path) -> Path:
    return copy(folder, "Makefile", "pyproject.toml", "requirements", "tools")


@pytest.fixture
def make_python(tmp_path) -> Callable[[str], Path]:
    """Each call makes an interpreter that behaves as these cases of a shell say."""

    def write(cases: str) -> Path:
        path = tmp_path / "bin" / "python3"
        path.parent.mkdir(exist_ok=True)
        path.write_text(FAKE.format(cases=cases, real=sys.executable))
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def isolated(tmp_path, monkeypatch) -> None:
    """No index can be reached, and no package comes from anywhere else."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", UNREACHABLE)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache" / "uv").mkdir(parents=True)


def make(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as from a shell, also where `make test` runs the tests."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("GPU", "PYTHON") and not name.startswith(("MAKE", "MFLAGS"))
    }
    command = ["make", *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)


def complaint(root: Path, python: object = sys.executable) -> str:
    """Return the sentence with which `make setup` fails."""
    done = make(root, "setup", f"PYTHON={python}")
    sentence, ending = done.stderr.splitlines()
    assert done.returncode == 2 and ending.startswith("make: *** "), done.stderr
    assert sentence.startswith("error: ")
    assert not (root / ".venv.setup").exists()
    return sentence


def test_make_alone_lists_the_commands_and_installs_nothing(tmp_path):
    root = download(tmp_path / "lean")
    lines = [line.split() for line in make(root).stdout.splitlines()]
    (targets,) = re.findall(r"^\.PHONY: (.*)", (root / "Makefile").read_text(), re.MULTILINE)
    assert [line[:2] for line in lines] == [["make", target] for target in targets.split()]
    assert all(line[2:] for line in lines)
    assert not (root / ".venv").exists()


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ("*version_info*) echo 3.10 ;;", "is Python 3.10, which is not supported: use Python 3.11"),
        ("*version_info*) echo 3.99 ;;", "is Python 3.99, which is not supported: use Python 3.11"),
        ("*version_info*) echo 3.1 ;;", "is Python 3.1, which is not supported: use Python 3.11"),
        ("*) echo pyenv: not installed >&2; exit 127 ;;", "cannot be run: use Python"),
        ("*ensurepip*) exit 1 ;;", "apt install python3.11-venv"),
    ],
)
def test_a_python_that_cannot_work_is_refused_before_anything_is_written(
    tmp_path, make_python, cases, expected
):
    root, version = (
        download(tmp_path / "lean"),
        f"python{sys.version_info[0]}.{sys.version_info[1]}",
    )
    before = set(root.rglob("*"))
    python = make_python(cases)
    sentence = complaint(root, python)
    assert str(python) in sentence
    assert expected.replace("python3.11-venv", f"{version}-venv") in sentence
    assert set(root.rglob("*")) == before


def test_a_python_that_does_not_exist_is_named(tmp_path):
    sentence = complaint(download(tmp_path / "lean"), "python3.77")
    assert sentence.startswith("error: python3.77 cannot be run: use Python 3.11")
    assert sentence.endswith("for example make setup PYTHON=python3.13")


@pytest.mark.usefixtures("isolated")
def test_an_index_that_cannot_be_reached_is_one_sentence_and_the_environment_stays(
    tmp_path, make_python
):
    root = download(tmp_path / "lean")
    (root / ".venv").mkdir()
    (root / ".venv" / "ready").touch()
    os.utime(root / ".venv" / "ready", (0, 0))  # of an older lock file
    real_pip = BARE.format(real=sys.executable, pip=Path(pip.__file__).parent, uv="/bin/true")
    sentence = complaint(root, make_python(real_pip))
    assert "the package index cannot be reached or lacks a package: check the network" in sentence
    assert "uv==" in (root / "setup.log").read_text()
    assert (root / ".venv" / "ready").exists()


@pytest.mark.usefixtures("isolated")
def test_an_index_that_is_lost_later_leaves_no_half_of_an_environment(tmp_path, make_python):
    root = download(tmp_path / "lean")
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__main__.py").touch()  # uv is installed
    lost = BARE.format(real=sys.executable, pip=tmp_path / "pip", uv=BINARIES / "uv")
    assert "the package index cannot be reached" in complaint(root, make_python(lost))
    assert UNREACHABLE in (root / "setup.log").read_text()
    assert not (root / ".venv").exists()


@pytest.mark.usefixtures("isolated")
def test_a_full_disk_is_one_sentence_before_or_during_the_setup(tmp_path, small_disk, monkeypatch):
    disk, _ = small_disk
    root = download(disk / "lean")
    before = complaint(root)
    assert not (root / "setup.log").exists()
    (disk / "cache" / "uv").mkdir(parents=True)  # may hold every package, so setup tries
    monkeypatch.setenv("XDG_CACHE_HOME", str(disk / "cache"))
    during = complaint(root)
    assert (root / "setup.log").exists()
    for sentence in (before, during):
        assert "the disk is full: .venv and uv's cache (UV_CACHE_DIR) need 6 GB" in sentence
        assert f"{root} has " in sentence
    assert not (root / ".venv").exists()


def git(root: Path, *arguments: str) -> str:
    return subprocess.check_output(["git", "-C", str(root), *arguments], text=True)


def test_installing_a_clone_leaves_nothing_untracked(tmp_path):
    names = ("lean_audio", "pyproject.toml", "LICENSE", "README.md", ".gitignore")
    root = copy(tmp_path / "lean", *names)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    before = git(root, "status", "--porcelain")
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=root, check=True, capture_output=True)
    assert (root / "build").is_dir() and list(root.glob("*.egg-info"))
    assert git(root, "status", "--porcelain") == before


def test_dvc_works_in_a_download_without_git_and_after_git_init(tmp_path):
    names = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    tracked = [name for name in names if name and (ROOT / name).is_file()]
    root = copy(tmp_path / "lean", *tracked)
    (root / ".dvc" / "config.local").write_text("[core]\n    autostage = true\n")
    path = f"{BINARIES}{os.pathsep}{os.environ['PATH']}"

    def run(*command: str) -> str:
        environment = os.environ | {"PATH": path}
        return subprocess.check_output(command, cwd=root, env=environment, text=True)

    run("bash", "tools/scm.sh")
    assert "python -m stages.download" in run("dvc", "repro", "--dry", "datasets/demo/dvc.yaml")
    git(root, "init", "--quiet")
    run("bash", "tools/scm.sh")
    assert (root / ".dvc" / "config.local").read_text() == "[core]\n    autostage = true\n"
