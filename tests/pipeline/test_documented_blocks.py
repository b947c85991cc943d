"""The code blocks of the documentation, run as they stand, where a pipeline has finished.

Two things are shortened: an experiment is queued instead of run, and make only says what it would
do. tests/unit/test_documented_commands.py has checked settings, options and stages.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Clone
from documents import NEEDS, PAGES, SHELL, Block, read_blocks

BLOCKS = [
    block for page in PAGES for block in read_blocks(page) if block.language in (*SHELL, "python")
]
SLOW = {"dvc", "git", "make", "python"}  # programs that take seconds to start, or train
SHORTENED = """
set -eo pipefail
dvc() {
  case "$* " in
    *--queue*) ;;
    "exp run "*) set -- "$@" --queue ;;
    "queue start "*) set -- queue status ;;  # tests/pipeline/test_tracking.py starts it
  esac
  command dvc "$@"
}
make() { command make --dry-run "$@"; }
"""


def each(chosen: Callable[[Block], bool]):
    blocks = [block for block in BLOCKS if chosen(block)]
    return pytest.mark.parametrize("block", blocks, ids=lambda block: block.name)


def is_slow(block: Block) -> bool:
    return bool(SLOW & {command[0] for command in block.commands})


def furnish(clone: Clone) -> Clone:
    """Add what the pages name: sounds, a model for each dataset, an environment."""
    binaries, models = clone.root / ".venv" / "bin", clone.root / "models"
    binaries.parent.mkdir()
    binaries.symlink_to(Path(sys.executable).parent)
    shutil.copytree(models / "demo", models / "sounds", ignore=shutil.ignore_patterns("heads"))
    shutil.copy(models / "demo" / "lean.tflite", clone.root)
    noise = np.random.default_rng(0).normal(0, 0.1, 40_000)
    for name in ("my.wav", "long.wav", "sound.wav", "a.flac", "b.flac", "sounds/dog.wav"):
        (clone.root / name).parent.mkdir(exist_ok=True)
        soundfile.write(clone.root / name, noise, 16_000)
    return clone


@pytest.fixture(scope="module")
def place(finished, tmp_path_factory) -> Clone:
    """The models alone, for what runs them."""
    root = tmp_path_factory.mktemp("place")
    shutil.copytree(finished.root / "models", root / "models")
    clone = furnish(Clone(root))
    clone.environment["LEAN_AUDIO_MODEL"] = "lean.tflite"  # as the pages set it once
    return clone


@pytest.fixture(scope="module")
def project(module_copy) -> Clone:
    """A finished pipeline with the variant that the pages name, `plus`."""
    clone = furnish(module_copy)
    clone.edit("params.yaml", "  - joint-bahdanau\n", "  - joint-bahdanau\n  - plus\n")
    clone.run("dvc", "repro")
    clone.commit("what the pages name")
    return clone


def run(clone: Clone, block: Block, before: str = SHORTENED) -> str:
    program = [sys.executable, "-c", block.text]
    script = ["bash", "-c", f"{before}\n{block.script}"]
    return clone.run(*(program if block.language == "python" else script))


@each(lambda block: not block.need and not is_slow(block))
def test_a_block_that_runs_a_model_runs(place, block):
    run(place, block)


@pytest.mark.specialist
@each(lambda block: not block.need and is_slow(block))
def test_a_block_that_runs_the_pipeline_runs(project, block):
    output = run(project, block)
    project.run("git", "checkout", "--quiet", ".")
    project.run("git", "clean", "--force", "-d", "--quiet")
    for command in block.commands:
        if command[:3] == ["dvc", "exp", "run"]:
            assert "Queued experiment" in output


@each(lambda block: block.need is not None)
def test_a_block_that_needs_more_runs_where_that_is(block, request):
    """Where it is has to be said: on a cluster, the tests submit no jobs by themselves."""
    if block.need not in os.environ.get("LEAN_HAS", "").split(","):
        pytest.skip(f"needs {NEEDS[block.need]}: where you have it, set LEAN_HAS={block.need}")
    run(request.getfixturevalue("project"), block, before="set -eo pipefail")


@each(lambda block: block.need == "microphone")
def test_a_stream_is_tagged_as_documented(place, block):
    """What comes behind the microphone."""
    commands = [command for command in block.commands if command[0] == "lean-audio"]
    if commands[0][1] == "listen":
        pytest.skip("opens the microphone itself; test_listen has its stream")
    (command,) = commands
    noise = np.random.default_rng(0).integers(-3000, 3000, 32_000, np.int16)
    done = subprocess.run(
        [place.root / ".venv" / "bin" / command[0], *command[1:]],
        cwd=place.root,
        env=place.environment | {"LEAN_AUDIO_MODEL": "lean.tflite"},
        input=noise.tobytes(),
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 3  # chunks
