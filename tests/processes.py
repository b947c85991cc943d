"""Trainings in this process or in ones of their own, one or several at a time; see train_once."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from helpers import ROOT

LIMIT_S = 600
SCRIPT = str(ROOT / "tests" / "train_once.py")
# TensorFlow cannot be imported, as where it is not installed
WITHOUT_TENSORFLOW = f"""
import runpy, sys
sys.modules["tensorflow"] = None
runpy.run_path({SCRIPT!r}, run_name="__main__")
"""


@dataclass(frozen=True)
class Trained:
    """What a training left: its report, losses of epochs, scores (clips, classes), weights file."""

    facts: dict[str, Any]
    losses: np.ndarray
    best_epoch: int
    scores: np.ndarray
    weights: Path


def inherited() -> dict[str, str]:
    """This process's environment, as if it were no worker of any cluster."""
    left_out = {"TF_CONFIG", "MLFLOW_TRACKING_URI", "DVC_ROOT"}
    return {name: value for name, value in os.environ.items() if name not in left_out}


def start(
    out: Path, environment: dict[str, str], *, tensorflow: bool = True, **asked: Any
) -> subprocess.Popen:
    search = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    settings = {"PYTHONPATH": search, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    program = [SCRIPT] if tensorflow else ["-c", WITHOUT_TENSORFLOW]
    return subprocess.Popen(
        [sys.executable, *program, json.dumps({"out": str(out), **asked})],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=inherited() | settings,
    )


def finish(process: subprocess.Popen, out: Path) -> Trained:
    try:
        printed, complaint = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    assert process.returncode == 0, complaint[-3000:]
    return load(out, json.loads(printed.splitlines()[-1]))


def load(out: Path, facts: dict[str, Any]) -> Trained:
    left = np.load(out)
    return Trained(
        facts,
        left["losses"],
        int(left["best_epoch"]),
        left["scores"],
        out.with_suffix(".weights.h5"),
    )


def run(out: Path, environment: dict[str, str] | None = None, **asked: Any) -> Trained:
    return finish(start(out, environment or {}, **asked), out)


def run_here(out: Path, **asked: Any) -> Trained:
    """The same in this process, for what needs no other backend and no other devices."""
    import train_once

    return load(out, train_once.main({"out": str(out), **asked}))


def run_workers(folder: Path, workers: int, **asked: Any) -> list[Trained]:
    """One process a worker, on this machine."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(workers)]}
    outs = [folder / f"worker{index}.npz" for index in range(workers)]
    processes = []
    for index, out in enumerate(outs):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        processes.append(start(out, {"TF_CONFIG": json.dumps(task)}, **asked))
    try:
        return [finish(process, out) for process, out in zip(processes, outs, strict=True)]
    finally:
        for process in processes:
            process.kill()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports
