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
from conftest import Clone
from fsd50k import has_zip, make_miniature, serve
from helpers import ROOT

from lean_audio.audio.split_zip import ArchiveRoot
from lean_audio.config.params import load_source
from lean_audio.datasets.fsd50k import read_archives
from lean_audio.datasets.layout import load_dataset, read_layout
from lean_audio.features.chunks import DATA_FILE
from lean_audio.features.prepare import prepare

pytestmark = pytest.mark.skipif(not has_zip(), reason="no `zip` on the PATH to make archives with")
SCHEMES = "[float32, float16, dynamic_int8, weight_only_int8, selective_int8, int4, full_int8]"
MODELS = ("yamnet-projection", "joint-bahdanau")
DOWNLOAD = "datasets/fsd50k/dvc.yaml:download"


@pytest.fixture(scope="module")
def miniature(tmp_path_factory):
    return make_miniature(tmp_path_factory.mktemp("miniature"), clips=60)


@pytest.fixture(scope="module")
def server(miniature):
    with serve(miniature.folder) as server:
        yield server


@pytest.fixture(scope="module")
def clone(make_clone, miniature, server) -> Clone:
    """A clone that is set to the miniature, and nothing run yet."""
    clone = make_clone()
    own = "datasets/fsd50k/params.yaml"
    for file, old, new in (
        ("params.yaml", r"^dataset: demo", "dataset: fsd50k"),
        (own, r"base_url: \S+", f"base_url: {server.url}"),
        (own, r"manifest: \S+", f"manifest: {miniature.manifest}"),
        ("params.yaml", r"source: auto", "source: untrained"),
        ("params.yaml", re.escape(SCHEMES), "[float32]"),
        ("params.yaml", r"headline: joint", "headline: yamnet-projection"),  # converted faster
        ("params.yaml", r"  - joint-affinity\n", "  - yamnet-projection\n"),
    ):
        path = clone.root / file
        text, found = re.subn(old, new, path.read_text(), count=1, flags=re.MULTILINE)
        assert found, old
        path.write_text(text)
    clone.commit("the miniature")
    return clone


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def size_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # renamed just now
            total += path.stat().st_size
    return total


@contextmanager
def watched(folder: Path) -> Iterator[list[int]]:
    """Yield the sizes of a folder's files in bytes, every 20 ms and once at the end."""
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
    first = clone.start("dvc", "repro", DOWNLOAD)
    partial = raw / f"{stalled}.part"
    wait_until(lambda: partial.exists() and partial.stat().st_size)
    output = clone.run("dvc", "repro", DOWNLOAD, fails=True)
    assert re.search("lock|busy", output)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    server.go_on.set()
    server.asked.clear()
    have_bytes = partial.stat().st_size
    with watched(raw) as sizes:
        clone.run("dvc", "repro", DOWNLOAD)
    assert dict(server.asked)[stalled] == f"bytes={have_bytes}-"
    assert contents(raw) == contents(miniature.folder)
    assert sizes[-1] == max(sizes) == size_bytes(miniature.folder)  # nothing is unpacked
    dataset = load_dataset(clone.root / "data" / "fsd50k" / "clips")
    assert dataset.clips["split"].value_counts().to_dict() == miniature.counts
    assert len(dataset.vocabulary) == miniature.classes
    assert not dataset.synthetic


def test_prepared_audio_is_that_of_the_same_sounds_in_folders(miniature, params, tmp_path):
    source = load_source("fsd50k", ROOT)
    settings = source.model_copy(update={"manifest": miniature.manifest})
    sounds = miniature.folder.parent / "sounds"
    archives = read_archives(settings, miniature.folder), ArchiveRoot(miniature.folder)
    folders = read_layout(sounds, name="sounds", origin="a test", synthetic=False), sounds
    prepared = []
    for number, (dataset, root) in enumerate((archives, folders)):
        audio = tmp_path / str(number)
        tables = (audio.with_suffix(".set_aside"), audio.with_suffix(".counts"))
        prepare(dataset, root, audio, *tables, params.prepare, 1)
        found = contents(audio)
        # their fingerprints differ: checksums are CRC-32 in archives, MD5 elsewhere
        prepared.append({name: found[name] for name in found if not name.endswith(DATA_FILE)})
    assert prepared[0] == prepared[1]
    assert sum(name.endswith(".s16") for name in prepared[0]) == 3


@pytest.fixture(scope="module")
def ablation(clone, server) -> str:
    """What `dvc repro` prints from an empty disk to the report."""
    shutil.rmtree(clone.root / "data" / "fsd50k", ignore_errors=True)
    (clone.root / "datasets" / "fsd50k" / "dvc.lock").unlink(missing_ok=True)
    (clone.root / "dvc.lock").unlink()
    server.asked.clear()
    server.faults["FSD50K.dev_audio.z02"] = ["cut", 503, "flip"]
    return clone.run("dvc", "repro")


@pytest.mark.specialist
def test_from_an_empty_disk_to_the_ablation_table(clone, ablation, miniature, server):
    assert re.search(r"^weights +untrained: seed 1", ablation, re.MULTILINE)
    assert {name for name, _ in server.asked} == set(miniature.names)
    report = (clone.root / "report" / "fsd50k" / "report.md").read_text()
    for model in MODELS:
        metrics = json.loads((record(clone, model) / "metrics.json").read_text())
        assert metrics["clips"] == miniature.counts["eval"]
        assert f"{metrics['mAP']:.4f}" in report
    assert re.search(r"clips by licence \| CC-BY \d+, CC-BY-NC \d+, CC0 \d+", report)
    assert "| licences chosen | all |" in report
    assert "Running stage" not in clone.run("dvc", "repro")
    archives = {hashlib.md5(content).hexdigest() for content in contents(miniature.folder).values()}  # noqa: S324
    assert clone.cached()
    assert not archives & clone.cached()


def record(clone: Clone, model: str, seed: int = 1) -> Path:
    return clone.root / "metrics" / "fsd50k" / "trainings" / f"{model}-{seed}"


@pytest.mark.specialist
@pytest.mark.usefixtures("ablation")
def test_anyone_who_pulls_the_embeddings_trains_without_raw_audio(clone, server, tmp_path):
    remote = tmp_path / "remote"
    clone.run("dvc", "remote", "add", "--default", "--force", "shared", str(remote))
    clone.commit("results")
    clone.run("dvc", "push")
    stored = sum(path.stat().st_size for path in remote.rglob("*") if path.is_file())
    assert stored > 0
    second = type(clone)(tmp_path / "second")
    clone.run("git", "clone", "--quiet", str(clone.root), str(second.root))
    server.asked.clear()
    second.edit("params.yaml", "seeds: [1]", "seeds: [2]")
    training = "yamnet-projection-2"
    output = second.run("dvc", "repro", "--pull", "--allow-missing", f"evaluate@{training}")
    assert f"Running stage 'train@{training}'" in output
    assert "stages.download" not in output
    assert "stages.prepare" not in output
    assert "stages.embed" not in output
    assert not server.asked
    assert not (second.root / "data" / "fsd50k" / "raw").exists()
    metrics = json.loads((record(second, "yamnet-projection", 2) / "metrics.json").read_text())
    assert 0 < metrics["mAP"] < 1


@pytest.mark.specialist
@pytest.mark.usefixtures("ablation")
def test_clips_of_some_licences_alone_are_used(clone, server):
    clone.edit("datasets/fsd50k/params.yaml", "licences: []", "licences: [CC0]")
    data = clone.root / "data" / "fsd50k"
    before = pd.read_csv(data / "clips" / "clips.csv")
    server.asked.clear()
    clone.run("dvc", "repro", "embed")
    assert not server.asked
    clips = pd.read_csv(data / "clips" / "clips.csv")
    assert 0 < len(clips) < len(before)
    assert set(clips["licence"]) == {"CC0"}
    stored = [pd.read_parquet(path) for path in (data / "audio").rglob("clips.parquet")]
    assert set(pd.concat(stored)["clip"]) == set(clips["clip"].astype(str))
    text = (clone.root / "metrics" / "fsd50k" / "provenance.json").read_text()
    dataset = json.loads(text)["dataset"]
    assert dataset["licences"] == {"CC0": len(clips)}
    assert dataset["licence_filter"] == ["CC0"]
