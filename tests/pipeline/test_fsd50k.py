"""FSD50K as published, in miniature, from a server on loopback to the ablation table."""

import hashlib
import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import pytest
from fsd50k import has_zip, make_miniature, serve
from helpers import FIVE
from ruamel.yaml import YAML

from lean_audio.datasets.layout import load_dataset
from lean_audio.features.provenance import describe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_zip(), reason="no `zip` on the PATH to make archives with"),
]
SCHEMES = "[float32, float16, dynamic_int8, weight_only_int8, selective_int8, int4, full_int8]"


@pytest.fixture(scope="module")
def miniature(tmp_path_factory):
    return make_miniature(tmp_path_factory.mktemp("miniature"), clips=60)


@pytest.fixture(scope="module")
def server(miniature):
    with serve(miniature.folder) as server:
        yield server


@pytest.fixture(scope="module")
def clone(make_clone, miniature, server):
    """A clone that is set to the miniature, and nothing run yet."""
    clone = make_clone()
    published = clone.root / "params.yaml"
    text = published.read_text()
    counts = ", ".join(f"{split}: {count}" for split, count in miniature.counts.items())
    for old, new in [
        (r"^dataset: demo", "dataset: fsd50k"),
        (r"base_url: \S+", f"base_url: {server.url}"),
        (r"manifest: \S+", f"manifest: {miniature.manifest}"),
        (r"clips: \{train.*?\}", f"clips: {{{counts}}}"),
        (r"classes: 200", f"classes: {miniature.classes}"),
        (r"source: auto", "source: untrained"),
        (re.escape(SCHEMES), "[float32]"),
        (r"variant: headline", "variant: yamnet"),  # the quickest to make .tflite files of
    ]:
        text, found = re.subn(old, new, text, count=1, flags=re.MULTILINE)
        assert found, old
    params = YAML().load(text)
    del params["variants"]["plus"]  # the demo's tests train it
    params["ingredients"] = {}
    YAML().dump(params, published)
    clone.run("git", "commit", "--quiet", "--all", "--message", "the miniature")
    return clone


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def size_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # renamed just now
            total += path.stat().st_size
    return total


@contextmanager
def watched(folder: Path) -> Iterator[list[int]]:
    """The sizes of a folder's files in bytes, every 20 ms and once at the end."""
    sizes, done = [], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            sizes.append(size_bytes(folder))

    thread = threading.Thread(target=watch)
    thread.start()
    yield sizes
    done.set()
    thread.join()
    sizes.append(size_bytes(folder))


def wait_until(true, most_s: float = 60) -> None:
    until = time.monotonic() + most_s
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_download_that_is_killed_goes_on_and_a_second_run_beside_it_is_locked_out(
    clone, miniature, server
):
    raw = clone.root / "data" / "fsd50k" / "raw"
    stalled = "FSD50K.dev_audio.z03"
    server.faults[stalled] = ["stall"]
    first = clone.start("dvc", "repro", "download")
    partial = raw / f"{stalled}.part"
    wait_until(lambda: partial.exists() and partial.stat().st_size)
    output = clone.run("dvc", "repro", "download", fails=True)
    assert re.search("lock|busy", output)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    server.go_on.set()
    server.asked.clear()
    have_bytes = partial.stat().st_size
    with watched(raw) as sizes:
        clone.run("dvc", "repro", "download")
    assert dict(server.asked)[stalled] == f"bytes={have_bytes}-"
    assert contents(raw) == contents(miniature.folder)
    assert sizes[-1] == max(sizes) == size_bytes(miniature.folder)  # nothing is unpacked


def test_from_an_empty_disk_to_the_ablation_table(clone, miniature, server):
    shutil.rmtree(clone.root / "data" / "fsd50k")
    (clone.root / "dvc.lock").unlink()
    server.asked.clear()
    server.faults["FSD50K.dev_audio.z02"] = ["cut", 503, "flip"]
    output = clone.run("dvc", "repro")
    assert "UNTRAINED YAMNET" in output
    assert {name for name, _ in server.asked} == set(miniature.names)
    report = (clone.root / "report" / "fsd50k" / "report.md").read_text()
    for variant in FIVE:
        metrics = json.loads((clone.root / "metrics/fsd50k" / f"{variant}.json").read_text())
        assert metrics["clips"] == miniature.counts["eval"]
        assert f"{metrics['mAP']:.4f}" in report
    assert re.search(r"clips by licence \| CC-BY \d+, CC-BY-NC \d+, CC0 \d+", report)
    assert "| licences chosen | all |" in report
    assert "Running stage" not in clone.run("dvc", "repro")
    archives = {hashlib.md5(content).hexdigest() for content in contents(miniature.folder).values()}  # noqa: S324
    assert clone.cached()
    assert not archives & clone.cached()


def test_prepared_audio_is_that_of_the_same_sounds_in_folders(clone, miniature):
    sounds = miniature.folder.parent / "sounds"
    clone.edit("params.yaml", "dataset: fsd50k", "dataset: folder")
    clone.edit("params.yaml", "root: sounds", f"root: {sounds}")
    clone.run("dvc", "repro", "prepare")
    clone.run("git", "checkout", "--quiet", "params.yaml")
    archives, folders = (
        contents(clone.root / "data" / name / "audio") for name in ("fsd50k", "folder")
    )
    assert archives == folders
    assert any(name.endswith(".s16") for name in archives)


def test_clips_of_some_licences_alone_are_used(clone):
    clone.edit("params.yaml", "licences: []", "licences: [CC0]")
    data = clone.root / "data" / "fsd50k"
    before = pd.read_csv(data / "clips" / "clips.csv")
    clone.run("dvc", "repro", "prepare")
    clips = pd.read_csv(data / "clips" / "clips.csv")
    stored = pd.read_parquet(data / "audio" / "clips.parquet")
    assert 0 < len(clips) < len(before)
    assert set(clips["licence"]) == {"CC0"}
    assert stored["clip"].tolist() == clips["clip"].astype(str).tolist()
    provenance = describe(load_dataset(data / "clips"), data / "audio", data / "yamnet")
    assert provenance["dataset"]["licences"] == {"CC0": len(clips)}
    assert provenance["dataset"]["licence_filter"] == ["CC0"]
    clone.run("git", "checkout", "--quiet", "params.yaml")
    clone.run("dvc", "repro", "prepare")


def test_who_pulls_the_embeddings_trains_without_raw_audio(clone, server, tmp_path):
    remote = tmp_path / "remote"
    clone.run("dvc", "remote", "add", "--default", "--force", "shared", str(remote))
    clone.run("git", "add", "--all")
    clone.run("git", "commit", "--quiet", "--message", "results")
    clone.run("dvc", "push")
    stored = sum(path.stat().st_size for path in remote.rglob("*") if path.is_file())
    assert stored > 0
    second = type(clone)(tmp_path / "second")
    clone.run("git", "clone", "--quiet", str(clone.root), str(second.root))
    server.asked.clear()
    second.edit("params.yaml", "seed: 1 # of training", "seed: 2 # of training")
    output = second.run("dvc", "repro", "--pull", "--allow-missing", "evaluate@yamnet-projection")
    assert "Running stage 'train@yamnet-projection'" in output
    assert "stages.download" not in output
    assert "stages.prepare" not in output
    assert "stages.embed" not in output
    assert not server.asked
    assert not (second.root / "data" / "fsd50k" / "raw").exists()
    metrics = json.loads((second.root / "metrics/fsd50k/yamnet-projection.json").read_text())
    assert 0 < metrics["mAP"] < 1
