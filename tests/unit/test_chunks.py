"""Chunks: views of clips that are stored once."""

import numpy as np
import pytest
from helpers import clip_table
from hypothesis import given
from hypothesis import strategies as st

from lean_audio.audio.chunking import CHUNK_SAMPLES, chunk_views
from lean_audio.features.chunks import (
    CHUNKS_FILE,
    VIEW,
    Chunks,
    count_rows,
    index_chunks,
    multi_hot,
    open_chunks,
    read_views,
    save_tables,
    shard_path,
)


@pytest.mark.parametrize(
    ("samples", "hop", "tail", "views"),
    [
        (0, 16000, "repeat", []),
        (1, 16000, "repeat", [(0, 1)]),
        (1, 16000, "drop", [(0, 1)]),
        (15599, 8000, "repeat", [(0, 15599)]),
        (15600, 8000, "repeat", [(0, 15600)]),
        (16000, 8000, "repeat", [(0, 16000)]),
        (16001, 16000, "repeat", [(0, 16000), (16000, 1)]),
        (16001, 8000, "repeat", [(0, 16000), (8000, 8001)]),
        (16001, 8000, "drop", [(0, 16000)]),
        (24000, 8000, "repeat", [(0, 16000), (8000, 16000)]),
        (40000, 16000, "repeat", [(0, 16000), (16000, 16000), (32000, 8000)]),
        (40000, 16000, "drop", [(0, 16000), (16000, 16000)]),
    ],
)
def test_views_at_the_edge_lengths(samples, hop, tail, views):
    assert [tuple(view) for view in chunk_views(samples, hop, tail)] == views


@given(
    samples=st.integers(1, 500_000),
    hop=st.integers(100, CHUNK_SAMPLES),
    tail=st.sampled_from(["repeat", "drop"]),
)
def test_views_lie_inside_the_clip_and_leave_no_gap(samples, hop, tail):
    views = chunk_views(samples, hop, tail)
    starts, lengths = views.T
    assert (np.diff(starts) == hop).all()
    assert starts[0] == 0
    assert (lengths > 0).all() and (lengths <= CHUNK_SAMPLES).all()
    assert (starts + lengths <= samples).all()
    assert (lengths[:-1] == CHUNK_SAMPLES).all()
    end = starts[-1] + lengths[-1]
    if tail == "repeat":
        assert end == samples
    elif samples >= CHUNK_SAMPLES:
        assert samples - end < hop


@pytest.fixture
def stored(tmp_path) -> tuple[Chunks, list[np.ndarray]]:
    """Three clips of 0.3, 1.25 and 2 s in one shard, hop 0.5 s, read back from disk."""
    rng = np.random.default_rng(0)
    lengths = [4800, 20000, 32000]
    sounds = [rng.integers(-30000, 30000, length).astype("<i2") for length in lengths]
    shard_path(tmp_path, 0).write_bytes(b"".join(sound.tobytes() for sound in sounds))
    clips = clip_table(lengths)
    save_tables(tmp_path, clips, index_chunks(clips, 0.5, "repeat"), ("Bark", "Dog"))
    return open_chunks(tmp_path), sounds


def test_chunks_read_what_was_stored_and_repeat_what_is_short(stored):
    chunks, sounds = stored
    assert chunks.clip_of_chunk.tolist() == [0, 1, 1, 2, 2, 2]
    waveforms = chunks.waveforms([0, 1, 2, 5])
    assert waveforms.shape == (4, CHUNK_SAMPLES)
    np.testing.assert_array_equal(waveforms[0], np.tile(sounds[0], 4)[:CHUNK_SAMPLES])
    np.testing.assert_array_equal(waveforms[1], sounds[1][:16000])
    np.testing.assert_array_equal(waveforms[2], np.tile(sounds[1][8000:], 2)[:CHUNK_SAMPLES])
    np.testing.assert_array_equal(waveforms[3], sounds[2][16000:])


def test_a_chunk_is_labelled_like_its_clip(stored):
    chunks, _ = stored
    expected = [[0, 1], [1, 1], [1, 1], [0, 0], [0, 0], [0, 0]]
    np.testing.assert_array_equal(chunks.targets(np.arange(6)), expected)


def test_samples_are_stored_once_however_much_chunks_overlap(stored):
    chunks, sounds = stored
    stored_bytes = sum(path.stat().st_size for path in chunks.folder.glob("*.s16"))
    assert stored_bytes == 2 * sum(map(len, sounds))


def test_multi_hot_follows_the_vocabulary():
    np.testing.assert_array_equal(
        multi_hot([["b"], [], ["c", "a"]], "abc"), [[0, 1, 0], [0, 0, 0], [1, 0, 1]]
    )


def test_labels_keep_their_order_and_spelling_on_disk(tmp_path):
    vocabulary = ("None", "Bell, small", 'A "b"', "NA")
    clips = clip_table([16000]).assign(labels=[("NA", "None")])
    save_tables(tmp_path, clips, index_chunks(clips, 1.0, "drop"), vocabulary)
    chunks = open_chunks(tmp_path)
    assert chunks.vocabulary == vocabulary
    assert chunks.clip_targets.tolist() == [[1, 0, 0, 1]]


def test_a_part_of_the_views_is_read_without_the_rest(stored, tmp_path):
    chunks, _ = stored
    chunks.index.to_parquet(tmp_path / CHUNKS_FILE, index=False, row_group_size=2)
    views = chunks.index[VIEW].to_numpy()
    assert count_rows(tmp_path) == len(views)
    for start in range(len(views)):
        for stop in range(start + 1, len(views) + 1):
            np.testing.assert_array_equal(read_views(tmp_path, start, stop), views[start:stop])
