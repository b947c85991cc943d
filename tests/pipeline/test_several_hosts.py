"""Stage train on two hosts: here two processes, each in a working copy of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, local, runs
from processes import free_ports, inherited
from splits import frozen

from benchmarks.tools import LABELS, store_noise
from lean_audio.datasets.layout import CLIP_COLUMNS, SPLITS, Dataset
from lean_audio.features.cache import LAYOUT_FILE, shard_path
from lean_audio.files import read_json, write_json

CLIPS, CHUNKS = 6, {"train": 18, "val": 3, "eval": 3}
PROVENANCE = {
    "dataset": {"synthetic": True},
    "yamnet": {"source": "untrained", "handle": "s", "trained": False, "weights_sha256": "0"},
}


def project(root: Path) -> Path:
    """What stage train reads, made of noise."""
    text = (ROOT / "params.yaml").read_text()
    for old, new in (("epochs: 40", "epochs: 1"), ("strategy: auto", "strategy: multiworker")):
        assert old in text
        text = text.replace(old, new)
    data = root / "data" / "demo"
    store_noise(data / "audio", CLIPS, 3.0, hop_s=1.0)
    (root / "params.yaml").write_text(text)
    clips = pd.DataFrame(columns=list(CLIP_COLUMNS))
    Dataset("demo", "noise", True, LABELS, clips).save(data / "clips")
    (data / "embeddings").mkdir()
    for split in SPLITS:
        rows = np.random.default_rng(0).normal(size=(CHUNKS[split], 1024)).astype("<f4")
        shard_path(data / "embeddings", split, 0).write_bytes(rows.tobytes())
    layout = {"shard_chunks": 2048, "widths": {"embedding": 1024}}
    write_json(data / "embeddings" / LAYOUT_FILE, layout)
    frozen(data / "yamnet")
    write_json(root / "metrics" / "demo" / "provenance.json", PROVENANCE)
    return root


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_only_the_chief_writes(tmp_path):
    hosts = [project(tmp_path / name) for name in ("chief", "other")]
    before = files(hosts[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    processes = []
    for index, host in enumerate(hosts):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        environment = {"TF_CONFIG": json.dumps(task), "PYTHONPATH": str(ROOT)}
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "stages.train", "yamnet-projection"],
                cwd=host,
                env=inherited() | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    try:
        printed = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], printed
    assert files(hosts[1]) == before
    assert (hosts[0] / "models/demo/heads/yamnet-projection.weights.h5").is_file()
    facts = read_json(hosts[0] / "metrics/demo/yamnet-projection.training.json")
    assert (facts["strategy"], facts["replicas"]) == ("multiworker", 2)
    (run,) = runs(local(hosts[0]))
    assert run.info.status == "FINISHED"
    assert "warning: MLflow failed" not in "".join(printed)


@pytest.mark.slow
def test_a_worker_without_tf_config_is_told_what_to_set(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "stages.train", "yamnet"],
        cwd=project(tmp_path / "host"),
        env=inherited() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "set it on every host" in sentence
    assert not list((tmp_path / "host").rglob("*.h5"))
