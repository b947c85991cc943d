"""Chunks of 1 s as views of clips that are stored once (paper, III-A).

One directory per split holds shards of 16-bit samples, clip after clip; a table of clips (labels,
shard, offset, samples); a table of chunks (clip, shard, offset, samples); and the vocabulary.
Samples are read by position from the file. Pages of a memory map would count as this process's
memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from lean_audio.audio.chunking import CHUNK_SAMPLES, count_chunks
from lean_audio.audio.decode import SAMPLE_RATE_HZ
from lean_audio.files import atomic_file, read_at, write_csv

SAMPLE_BYTES = 2
VIEW = ["shard", "offset", "samples"]
ROW_GROUP = 4096  # rows that are held in memory while a table is written
CLIPS_FILE, CHUNKS_FILE, VOCABULARY_FILE = "clips.parquet", "chunks.parquet", "vocabulary.csv"
DATA_FILE = "data.json"  # fingerprint of the split, see features.fingerprint


def index_chunks(clips: pd.DataFrame, hop_s: float, tail: str) -> pd.DataFrame:
    """List the chunks of all clips, in the order of the clips.

    Parameters
    ----------
    clips
        Clip table: shard, offset and samples of each clip.
    hop_s
        Seconds between the starts of consecutive chunks.
    tail
        "repeat" or "drop", see audio.chunking.count_chunks.

    Returns
    -------
    pandas.DataFrame
        One row per chunk: clip (row of `clips`), shard, offset and samples.
    """
    hop_samples = round(hop_s * SAMPLE_RATE_HZ)
    samples = clips["samples"].to_numpy(np.int64)
    counts = count_chunks(samples, hop_samples, tail)
    clip = np.repeat(np.arange(len(clips)), counts)
    start = (np.arange(len(clip)) - np.repeat(counts.cumsum() - counts, counts)) * hop_samples
    length = np.minimum(samples[clip] - start, CHUNK_SAMPLES)
    return pd.DataFrame(
        {
            "clip": clip.astype(np.int32),
            "shard": clips["shard"].to_numpy(np.int32)[clip],
            "offset": clips["offset"].to_numpy(np.int64)[clip] + start,
            "samples": length.astype(np.int32),
        }
    )


def shard_path(folder: Path, shard: int) -> Path:
    """Return the file of a shard of samples."""
    return folder / f"shard-{shard:05d}.s16"


def read_chunk(folder: Path, shard: int, offset: int, samples: int, out: np.ndarray) -> None:
    """Fill `out`, (16000,) int16, with a view's samples, repeated until they fill 1 s."""
    read_at(shard_path(folder, shard), offset * SAMPLE_BYTES, out[:samples])
    if samples < CHUNK_SAMPLES:
        out[:] = np.resize(out[:samples], CHUNK_SAMPLES)


def read_waveforms(folder: Path, views: np.ndarray) -> np.ndarray:
    """Read waveforms, (chunks, 16000) int16; views: (chunks, 3) of shard, offset, samples."""
    waveforms = np.empty((len(views), CHUNK_SAMPLES), "<i2")
    for waveform, view in zip(waveforms, views.tolist(), strict=True):
        read_chunk(folder, *view, out=waveform)
    return waveforms


def multi_hot(labels: Sequence[Sequence[str]], vocabulary: Sequence[str]) -> np.ndarray:
    """Encode each clip's labels as a row of 0/1, (clips, classes) uint8."""
    index = {label: number for number, label in enumerate(vocabulary)}
    hot = np.zeros((len(labels), len(vocabulary)), np.uint8)
    for row, names in enumerate(labels):
        hot[row, [index[name] for name in names]] = 1
    return hot


@dataclass(frozen=True)
class Chunks:
    """The chunks of one split.

    folder: directory of its shards; clips: table of its clips; index: table of their chunks;
    vocabulary: class labels.
    """

    folder: Path
    clips: pd.DataFrame
    index: pd.DataFrame
    vocabulary: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def clip_targets(self) -> np.ndarray:
        """Labels of the clips, (clips, classes) uint8 multi-hot."""
        return multi_hot(self.clips["labels"].tolist(), self.vocabulary)

    @cached_property
    def clip_of_chunk(self) -> np.ndarray:
        """Row of each chunk's clip in the clip table, (chunks,)."""
        return self.index["clip"].to_numpy()

    @cached_property
    def _views(self) -> np.ndarray:
        return self.index[VIEW].to_numpy(np.int64)

    def clip_samples(self, row: int) -> np.ndarray:
        """Read one clip of the clip table from disk, (samples,) int16."""
        clip = self.clips.iloc[row]
        samples = np.empty(clip["samples"], "<i2")
        read_at(shard_path(self.folder, clip["shard"]), clip["offset"] * SAMPLE_BYTES, samples)
        return samples

    def waveforms(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Read some chunks from disk, (rows, 16000) int16."""
        return read_waveforms(self.folder, self._views[rows])

    def targets(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the labels of some chunks, (rows, classes) float32; a chunk has its clip's."""
        return self.clip_targets[self.clip_of_chunk[rows]].astype(np.float32)


def save_tables(
    folder: Path, clips: pd.DataFrame, chunks: pd.DataFrame, vocabulary: Sequence[str]
) -> None:
    """Write a split's clip table, chunk table and vocabulary beside its shards."""
    for name, table in ((CLIPS_FILE, clips), (CHUNKS_FILE, chunks)):
        with atomic_file(folder / name) as temporary:
            table.to_parquet(temporary, index=False, row_group_size=ROW_GROUP)
    write_csv(folder / VOCABULARY_FILE, pd.DataFrame({"label": vocabulary}))


def open_chunks(folder: Path) -> Chunks:
    """Open one split as stage prepare wrote it."""
    clips, index = (pd.read_parquet(folder / name) for name in (CLIPS_FILE, CHUNKS_FILE))
    vocabulary = pd.read_csv(folder / VOCABULARY_FILE, dtype=str, keep_default_na=False)["label"]
    return Chunks(folder, clips, index, tuple(vocabulary))


def count_rows(folder: Path) -> int:
    """Count the chunks of a split without reading them."""
    return pq.read_metadata(folder / CHUNKS_FILE).num_rows


def read_views(folder: Path, start: int, stop: int) -> np.ndarray:
    """Read the views (stop - start, 3) of consecutive chunks, and no other rows of the table."""
    with pq.ParquetFile(folder / CHUNKS_FILE) as file:
        parts = range(file.num_row_groups)
        ends = np.cumsum([file.metadata.row_group(part).num_rows for part in parts])
        first, last = np.searchsorted(ends, [start, stop - 1], side="right")
        table = file.read_row_groups(list(parts[first : last + 1]), VIEW)
        before = ends[first] - file.metadata.row_group(int(first)).num_rows
        return table.slice(start - before, stop - start).to_pandas().to_numpy(np.int64)
