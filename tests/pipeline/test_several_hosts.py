"""Stage train on two hosts: here two processes, each in a working copy of its own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT, local, runs
from processes import free_ports, inherited
from splits import frozen, store

from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.files import read_json, write_json

pytestmark = pytest.mark.specialist

LENGTHS = [9000, 30_000, 20_000, 16_000]
LABELS = [("Dog",), ("Bark", "Dog"), (), ("Bark",)]
PROVENANCE = {
    "dataset": {"synthetic": True},
    "yamnet": {"source": "untrained", "handle": "s", "trained": False, "weights_sha256": "0"},
    "data_sha256": dict.fromkeys(SPLIT_FOLDERS, "0" * 64),
}
TRAINING = "yamnet-projection-1"


def project(root: Path) -> Path:
    """What stage train reads, made of noise."""
    data = root / "data" / "demo"
    for split, name in SPLIT_FOLDERS.items():
        store(root / split, LENGTHS, LABELS)
        for kind in ("audio", "embeddings"):
            shutil.copytree(root / split / kind, data / kind / name)
        shutil.rmtree(root / split)
    frozen(data / "weights")
    write_json(root / "metrics" / "demo" / "provenance.json", PROVENANCE)
    text = (ROOT / "params.yaml").read_text()
    for old, new in (("epochs: 40", "epochs: 1"), ("strategy: auto", "strategy: multiworker")):
        assert old in text
        text = text.replace(old, new)
    (root / "params.yaml").write_text(text)
    shutil.copy(ROOT / "models.yaml", root)
    shutil.copytree(ROOT / "datasets", root / "datasets")
    return root


def start(host: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stages.train", "--model", "yamnet-projection", "--seed", "1"],
        cwd=host,
        env=inherited() | {"PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_only_the_chief_writes(tmp_path):
    hosts = [project(tmp_path / name) for name in ("chief", "other")]
    before = files(hosts[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    tasks = [{"cluster": cluster, "task": {"type": "worker", "index": index}} for index in (0, 1)]
    processes = [
        start(host, TF_CONFIG=json.dumps(task)) for host, task in zip(hosts, tasks, strict=True)
    ]
    try:
        printed = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], printed
    assert files(hosts[1]) == before
    head = hosts[0] / "models/demo/heads" / TRAINING
    assert {path.name for path in head.iterdir()} == {"head.weights.h5", "network.json"}
    facts = read_json(hosts[0] / "metrics/demo/trainings" / TRAINING / "training.json")
    assert (facts["replicas"], facts["backend"]) == (2, "tensorflow")
    (run,) = runs(local(hosts[0]))
    assert (run.info.run_name, run.info.status) == (TRAINING, "FINISHED")
    assert "warning: MLflow failed" not in "".join(printed)


def test_a_worker_without_tf_config_is_told_what_to_set(tmp_path):
    host = project(tmp_path / "host")
    before = files(host)
    process = start(host)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    (sentence,) = [line for line in printed.splitlines() if line.startswith("error:")]
    assert "set it on every host" in sentence
    assert files(host) == before
