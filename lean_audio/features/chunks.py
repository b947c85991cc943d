"""Chunks of 1 s as views of clips that are stored once (paper, III-A).

On disk: shards of 16-bit samples, clip after clip; a table of clips (shard, offset, samples,
labels); a table of chunks per split (clip, shard, offset, samples). Reading is by position in
the file and not through a memory map, whose touched pages would count as this process's memory.
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
from lean_audio.files import read_at, whole

SAMPLE_BYTES = 2
VIEW = ["shard", "offset", "samples"]
ROW_GROUP = 4096  # rows that the writer of a table holds in memory


def index_chunks(clips: pd.DataFrame, hop_s: float, tail: str) -> pd.DataFrame:
    """One row a chunk: clip (row of `clips`), shard, offset and samples, in the clips' order."""
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
    return folder / f"shard-{shard:05d}.s16"


def read_chunk(folder: Path, shard: int, offset: int, samples: int, out: np.ndarray) -> None:
    """Fill `out`, (16000,) int16, with the view, repeated until it fills 1 s."""
    read_at(shard_path(folder, shard), offset * SAMPLE_BYTES, out[:samples])
    if samples < CHUNK_SAMPLES:
        out[:] = np.resize(out[:samples], CHUNK_SAMPLES)


def read_waveforms(folder: Path, views: np.ndarray) -> np.ndarray:
    """(chunks, 16000) int16 of views, (chunks, 3): shard, offset, samples."""
    waveforms = np.empty((len(views), CHUNK_SAMPLES), "<i2")
    for waveform, view in zip(waveforms, views.tolist(), strict=True):
        read_chunk(folder, *view, out=waveform)
    return waveforms


def multi_hot(labels: Sequence[Sequence[str]], vocabulary: Sequence[str]) -> np.ndarray:
    """(clips, classes) uint8."""
    index = {label: number for number, label in enumerate(vocabulary)}
    hot = np.zeros((len(labels), len(vocabulary)), np.uint8)
    for row, names in enumerate(labels):
        hot[row, [index[name] for name in names]] = 1
    return hot


@dataclass(frozen=True)
class Chunks:
    """The chunks of one split.

    clips: table of the split's clips; index: table of their chunks; vocabulary: label names.
    """

    folder: Path
    clips: pd.DataFrame
    index: pd.DataFrame
    vocabulary: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def clip_targets(self) -> np.ndarray:
        """(clips, classes) uint8 multi-hot."""
        return multi_hot(self.clips["labels"].tolist(), self.vocabulary)

    @cached_property
    def clip_of_chunk(self) -> np.ndarray:
        """(chunks,) row of the clip table."""
        return self.index["clip"].to_numpy()

    @cached_property
    def _views(self) -> np.ndarray:
        return self.index[VIEW].to_numpy(np.int64)

    def waveforms(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """(rows, 16000) int16, read from disk."""
        return read_waveforms(self.folder, self._views[rows])

    def targets(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """(rows, classes) float32: a chunk is labelled like its clip."""
        return self.clip_targets[self.clip_of_chunk[rows]].astype(np.float32)


def save_tables(folder: Path, clips: pd.DataFrame, indices: dict[str, pd.DataFrame]) -> None:
    """Write clips.parquet and one index of chunks a split."""
    for name, table in {"clips": clips, **indices}.items():
        with whole(folder / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, index=False, row_group_size=ROW_GROUP)


def open_chunks(folder: Path, split: str, vocabulary: Sequence[str]) -> Chunks:
    """Open one split of what `prepare` wrote."""
    clips = pd.read_parquet(folder / "clips.parquet", filters=[("split", "==", split)])
    index = pd.read_parquet(folder / f"{split}.parquet")
    return Chunks(folder, clips.reset_index(drop=True), index, tuple(vocabulary))


def count_rows(folder: Path, split: str) -> int:
    """How many chunks a split has, without reading them."""
    return pq.read_metadata(folder / f"{split}.parquet").num_rows


def read_views(folder: Path, split: str, start: int, stop: int) -> np.ndarray:
    """(stop - start, 3) of some chunks of a split; of its table only the parts that hold them."""
    with pq.ParquetFile(folder / f"{split}.parquet") as file:
        parts = range(file.num_row_groups)
        ends = np.cumsum([file.metadata.row_group(part).num_rows for part in parts])
        first, last = np.searchsorted(ends, [start, stop - 1], side="right")
        table = file.read_row_groups(list(parts[first : last + 1]), VIEW)
        before = ends[first] - file.metadata.row_group(int(first)).num_rows
        return table.slice(start - before, stop - start).to_pandas().to_numpy(np.int64)
