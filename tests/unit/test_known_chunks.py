"""Clips that are added are embedded alone; the features are those of a run from nothing."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from own_sounds import read

from lean_audio.features.embed import embed
from lean_audio.features.known import FILE, FOLDER, open_known
from lean_audio.features.prepare import prepare

RATE_HZ = 16_000
SPLITS = ("train", "train", "val", "eval")


def add(root: Path, numbers: range) -> None:
    """Write clips of 1.5 s, two chunks, or of four where the hop is half a second."""
    for number in numbers:
        path = root / SPLITS[number % 4] / ("owl" if number % 3 else "wind") / f"{number:02}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).uniform(-0.5, 0.5, 3 * RATE_HZ // 2)
        soundfile.write(path, noise, RATE_HZ)


@pytest.fixture
def run(tmp_path, params, small_embedder):
    """Prepare the sounds and embed them into a directory; its features' bytes and the counts."""

    def embed_all(name: str, workers: int = 1) -> tuple[dict[str, bytes], int, int]:
        dataset = read(tmp_path / "sounds")
        tables = tmp_path / "set_aside.csv", tmp_path / "counts.csv"
        prepare(dataset, tmp_path / "sounds", tmp_path / "audio", *tables, params.prepare, 1)
        out = tmp_path / name / "embeddings"
        chunks, reused = embed(tmp_path / "audio", small_embedder, out, workers)
        files = [path for path in sorted(out.rglob("*")) if path.is_file()]
        return {str(path.relative_to(out)): path.read_bytes() for path in files}, chunks, reused

    add(tmp_path / "sounds", range(12))
    return embed_all


@pytest.mark.parametrize("workers", [1, 2])
def test_added_clips_alone_are_embedded(run, tmp_path, workers):
    before, chunks, reused = run("mine", workers)
    assert (chunks, reused) == (6 * 2 + 3 * 2 + 3 * 2, 0)
    add(tmp_path / "sounds", range(12, 16))
    added, chunks, reused = run("mine", workers)
    assert (chunks, reused) == (4 * 8, 24)
    assert added == run("fresh")[0] != before


def test_a_run_for_the_same_clips_computes_nothing(run):
    before, chunks, _ = run("mine")
    assert run("mine") == (before, chunks, chunks)


def test_features_are_kept_when_dvc_deletes_or_replaces_the_outputs(run, tmp_path):
    before, chunks, _ = run("mine")
    add(tmp_path / "sounds", range(12, 16))
    run("other")
    shutil.rmtree(tmp_path / "mine" / "embeddings")
    for number in range(12, 16):
        next((tmp_path / "sounds").rglob(f"{number}.wav")).unlink()
    assert run("mine") == (before, chunks, chunks)
    shutil.rmtree(tmp_path / "mine" / "embeddings")
    shutil.copytree(tmp_path / "other" / "embeddings", tmp_path / "mine" / "embeddings")
    assert run("mine") == (before, chunks, chunks)


@pytest.mark.parametrize("damage", ["other", "short", "missing"])
def test_features_that_were_replaced_are_computed(run, tmp_path, damage):
    before, chunks, _ = run("mine")
    shard = tmp_path / "mine" / FOLDER / "eval" / "shard-00000.f32"
    content = shard.read_bytes()  # six chunks
    shard.unlink()
    if damage != "missing":
        width = len(content) // 6
        shard.write_bytes(content[width:] + content[:width] if damage == "other" else content[:9])
    assert run("mine") == (before, chunks, chunks - 6)


@pytest.mark.parametrize("content", [None, b"", b"PK"])
def test_without_its_hashes_everything_is_computed(run, tmp_path, content):
    before, chunks, _ = run("mine")
    (tmp_path / "mine" / FOLDER / FILE).unlink()
    if content is not None:
        (tmp_path / "mine" / FOLDER / FILE).write_bytes(content)
    assert run("mine") == (before, chunks, 0)


def test_features_of_another_embedder_or_code_are_not_taken(run, tmp_path):
    run("mine")
    assert open_known(tmp_path / "mine" / "embeddings", "another key") is None
