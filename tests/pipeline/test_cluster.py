"""Prepare and embed while processes are killed and disks fill up: the bytes of a quiet run."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Clone
from helpers import write_layout

from lean_audio.config.schema import Yamnet

pytestmark = pytest.mark.specialist  # tests/unit/test_map_shards.py has its core

CLIPS, CLIP_S, RATE_HZ = 32, 20, 44_100
FOLDERS = {"prepare": "audio", "embed": "embeddings"}
STAGES = pytest.mark.parametrize("stage", FOLDERS)
PREPARE = pytest.mark.parametrize("stage", ["prepare"])
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def quiet(make_clone, backbone) -> Clone:
    """A project whose prepare and embed have run undisturbed, in one process each."""
    from lean_audio.backbones.export import write_embedder  # TensorFlow
    from lean_audio.backbones.weights import prepare_weights

    clone = make_clone()
    for name, old, new in (
        ("params.yaml", "dataset: demo", "dataset: sounds"),
        ("params.yaml", "workers: 0", "workers: 1"),
        ("lean_audio/features/prepare.py", "SHARD_CLIPS = 128", "SHARD_CLIPS = 2"),
        ("lean_audio/features/embed.py", "SHARD_CHUNKS = 2048", "SHARD_CHUNKS = 64"),
    ):
        clone.edit(name, old, new)
    splits = ("train", "val", "train", "eval")
    names = {
        f"{number:02d}": (splits[number % 4], "Bark,Dog" if number % 3 else "Dog")
        for number in range(CLIPS)
    }
    write_layout(clone.root / "sounds", names)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, CLIP_S * RATE_HZ + CLIPS)
    for number, path in enumerate(sorted((clone.root / "sounds").rglob("*.wav"))):
        soundfile.write(path, noise[number:], RATE_HZ)
    clone.stage("download", "--dataset", "sounds")
    weights, embedder = (clone.root / "data/sounds" / name for name in ("weights", "embedder"))
    source = Yamnet(source="untrained", hub_url="")
    prepare_weights(backbone, source, synthetic=True, folder=weights)
    write_embedder(backbone, weights, embedder, (), mean_normalization=False)
    for stage in FOLDERS:
        clone.stage(stage)
    return clone


@pytest.fixture
def project(quiet, tmp_path, request) -> Clone:
    """A copy in which the stage under test has not run."""
    root = tmp_path / "lean"
    shutil.copytree(quiet.root, root, ignore=shutil.ignore_patterns(".git"))
    shutil.rmtree(folder(Clone(root), request.getfixturevalue("stage")))
    return Clone(root)


@pytest.fixture
def start(project, tmp_path) -> Iterator[Start]:
    """Start a process in the project's directory; what still runs is killed at the end."""
    processes = []

    def run(*arguments: str, cwd: Path = project.root) -> subprocess.Popen[bytes]:
        log = (tmp_path / f"log-{len(processes)}").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=cwd,
            env=project.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.wait()


def folder(project: Clone, stage: str) -> Path:
    return project.root / "data" / "sounds" / FOLDERS[stage]


def contents(project: Clone, stage: str) -> dict[str, bytes]:
    where = folder(project, stage)
    files = [path for path in where.rglob("*") if path.is_file()]
    return {str(path.relative_to(where)): path.read_bytes() for path in files}


def partial(project: Clone, stage: str) -> Path | None:
    return next(folder(project, stage).parent.glob(f".{FOLDERS[stage]}.*.partial"), None)


def finished(project: Clone, stage: str) -> int:
    """How many shards need not be done again."""
    return len(list((partial(project, stage) or project.root).glob(".finished/0*")))


def shards(where: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of writing of the shards that are complete."""
    found = [path for path in where.rglob("shard-*") if path.suffix in (".s16", ".f32")]
    return {
        str(path.relative_to(where)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in found
    }


def until(condition: Callable[[], object], most_s: float = 90) -> object:
    end = time.monotonic() + most_s
    while not (found := condition()):
        assert time.monotonic() < end, condition
        time.sleep(0.0005)
    return found


def stop_mid_shard(project: Clone, stage: str, run: subprocess.Popen | None = None) -> int:
    """Stop a process other than `run` while it writes a shard."""

    def stopped() -> int | None:
        for path in (partial(project, stage) or project.root).rglob(".*.tmp.shard-*"):
            pid = int(re.findall(r"\d+", path.name)[0])
            if run is None or pid != run.pid:
                os.kill(pid, signal.SIGSTOP)
                if path.exists():
                    return pid
                os.kill(pid, signal.SIGCONT)
        return None

    return int(str(until(stopped)))


def start_cluster(project: Clone, start: Start, workers: int, **where: Path) -> subprocess.Popen:
    """Start a scheduler and workers on the loopback interface; params.yaml names it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    host = ("--host", "127.0.0.1")
    no_page = "--no-dashboard"
    scheduler = start("distributed.cli.dask_scheduler", *host, "--port", port, no_page, **where)
    one_core = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0", no_page)
    scratch = ("--local-directory", str(project.root.parent))
    for _ in range(workers):
        start("distributed.cli.dask_worker", address, *host, *one_core, *scratch, **where)
    project.edit("params.yaml", "scheduler: local", f"scheduler: {address}")
    return scheduler


def assert_one_sentence(output: str, *parts: str) -> None:
    assert "Traceback" not in output
    (error,) = re.findall(r"^error: .*", output, re.MULTILINE)
    for part in parts:
        assert part in error


@STAGES
def test_two_workers_write_the_bytes_of_one_even_if_one_of_them_is_killed(
    quiet, project, stage, start, tmp_path
):
    project.edit("params.yaml", "workers: 1", "workers: 2")
    run = start(f"stages.{stage}")
    os.kill(stop_mid_shard(project, stage, run), signal.SIGKILL)
    assert run.wait(180) == 0
    assert "Traceback" not in (tmp_path / "log-0").read_text()
    assert contents(project, stage) == contents(quiet, stage)
    assert partial(project, stage) is None


@pytest.mark.parametrize(("stage", "workers"), [("prepare", "1"), ("prepare", "2"), ("embed", "1")])
def test_a_killed_stage_is_resumed(quiet, project, stage, workers, start):
    project.edit("params.yaml", "workers: 1", f"workers: {workers}")
    run = start(f"stages.{stage}")
    until(lambda: finished(project, stage) >= 2)
    run.kill()
    run.wait()
    time.sleep(1)  # for its workers to notice
    assert_only_the_rest_is_done(quiet, project, stage)


def assert_only_the_rest_is_done(quiet: Clone, project: Clone, stage: str) -> None:
    """Run the stage once more: shards that were finished are not written again."""
    kept = partial(project, stage)
    assert kept is not None
    done, before = finished(project, stage), shards(kept)
    assert 2 <= done <= len(before) < len(shards(folder(quiet, stage)))
    assert f"{stage}: {done} of " in project.stage(stage)
    after = shards(folder(project, stage))
    assert sum(after[name] == before[name] for name in before) >= done
    assert contents(project, stage) == contents(quiet, stage)
    assert partial(project, stage) is None


@PREPARE
def test_a_full_disk_is_one_sentence_and_nothing_is_lost(quiet, project, stage, small_disk):
    disk, resize = small_disk
    data = project.root / "data"
    shutil.rmtree(data / "sounds" / "embeddings")
    resize(f"{size_kb(data) + size_kb(folder(quiet, stage)) // 2}k")
    shutil.copytree(data, disk / "data")
    shutil.rmtree(data)
    data.symlink_to(disk / "data")
    output = project.stage(stage, fails=True)
    assert_one_sentence(output, str(data), "the disk is full: make space", "dvc repro")
    resize("200m")
    assert_only_the_rest_is_done(quiet, project, stage)


def size_kb(where: Path) -> int:
    """With some room for what a file occupies beyond its bytes."""
    return sum(path.stat().st_size // 1024 + 8 for path in where.rglob("*"))


@STAGES
def test_a_dask_worker_that_is_killed_is_replaced_by_another(quiet, project, stage, start):
    start_cluster(project, start, 2)
    run = start(f"stages.{stage}")
    os.kill(stop_mid_shard(project, stage), signal.SIGKILL)
    assert run.wait(180) == 0
    assert contents(project, stage) == contents(quiet, stage)


@PREPARE
def test_without_its_scheduler_a_run_ends_in_one_sentence_and_keeps_what_is_done(
    quiet, project, stage, start, tmp_path
):
    scheduler = start_cluster(project, start, 1)
    run = start(f"stages.{stage}")
    until(lambda: finished(project, stage) >= 2)
    scheduler.kill()
    assert run.wait(60) == 1
    assert_one_sentence((tmp_path / "log-2").read_text(), stage, "scheduler is lost", "dvc repro")
    text = (project.root / "params.yaml").read_text()
    (project.root / "params.yaml").write_text(re.sub("tcp://.*", "local", text))
    assert_only_the_rest_is_done(quiet, project, stage)


@PREPARE
def test_dask_workers_with_other_source_code_are_refused(project, stage, start, tmp_path):
    shutil.copytree(project.root / "lean_audio", tmp_path / "lean_audio")
    (tmp_path / "lean_audio" / "another.py").touch()
    start_cluster(project, start, 1, cwd=tmp_path)
    output = project.stage(stage, fails=True)
    assert_one_sentence(output, socket.gethostname(), "another lean_audio than this machine")
