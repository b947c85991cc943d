"""Cached features read from disk, or kept in memory."""

import numpy as np
import pytest

from lean_audio.errors import LeanError
from lean_audio.features import cache
from lean_audio.features.cache import LAYOUT_FILE, Embeddings, features_shard
from lean_audio.files import write_json

CHUNKS, SHARD_CHUNKS = 10, 4
WIDTHS = {"embedding": 3, "middle": 2, "last": 1}
VALUES = np.arange(CHUNKS * 6, dtype="<f4").reshape(CHUNKS, 6)
PLACES = {"embedding": slice(0, 3), "middle": slice(3, 5), "last": slice(5, 6)}
ROWS = [9, 0, 4, 4, 3]


@pytest.fixture
def on_disk(tmp_path) -> Embeddings:
    layout = {"shard_chunks": SHARD_CHUNKS, "widths": WIDTHS, "data_sha256": "0" * 64}
    write_json(tmp_path / LAYOUT_FILE, layout)
    for number, start in enumerate(range(0, CHUNKS, SHARD_CHUNKS)):
        content = VALUES[start : start + SHARD_CHUNKS].tobytes()
        features_shard(tmp_path, number).write_bytes(content)
    return Embeddings(tmp_path)


@pytest.fixture(params=["disk", "memory"])
def embeddings(request, on_disk) -> Embeddings:
    return on_disk if request.param == "disk" else on_disk.in_memory(CHUNKS)


@pytest.mark.parametrize(
    "names", [["embedding"], ["last", "embedding"], ["middle", "last"], list(WIDTHS)]
)
def test_features_are_those_of_their_rows(embeddings, names):
    found = embeddings.features(ROWS, names)
    assert list(found) == names
    for name in names:
        np.testing.assert_array_equal(found[name], VALUES[ROWS, PLACES[name]])
        np.testing.assert_array_equal(embeddings.rows(ROWS, name), found[name])


def test_a_feature_that_is_not_cached_is_named(embeddings):
    with pytest.raises(LeanError, match=r"no 'first', only embedding, middle, last"):
        embeddings.features(ROWS, ["embedding", "first"])


def test_features_in_memory_are_not_read_again(on_disk):
    kept = on_disk.in_memory(CHUNKS)
    features_shard(on_disk.folder, 0).unlink()
    np.testing.assert_array_equal(kept.rows(range(CHUNKS)), VALUES[:, :3])


def test_features_that_do_not_fit_memory_stay_on_disk(on_disk, monkeypatch):
    monkeypatch.setattr(cache, "IN_MEMORY_BYTES", VALUES.nbytes - 1)
    assert on_disk.in_memory(CHUNKS) is on_disk
    monkeypatch.setattr(cache, "IN_MEMORY_BYTES", VALUES.nbytes)
    assert on_disk.in_memory(CHUNKS) is not on_disk


def test_a_shard_that_is_too_short_is_named(on_disk):
    shard = features_shard(on_disk.folder, 2)
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(LeanError, match=r"shard-00002\.f32 ends 1 bytes too early"):
        on_disk.in_memory(CHUNKS)
