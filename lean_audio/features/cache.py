"""The backbone's features of every chunk as stored on disk, in shards, one directory per split.

A row is one chunk: its embedding, then the pooled activations of embed.layers. layout.json beside
the shards says what lies where in a row and which data it was computed from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from lean_audio.backbones.base import EMBEDDING
from lean_audio.errors import LeanError
from lean_audio.files import read_at, read_json

LAYOUT_FILE = "layout.json"
NUMBER_BYTES = 4
IN_MEMORY_BYTES = 2**29  # per split; more than 29,000 chunks with all of params.yaml's embed.layers


def features_shard(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}.f32"


@dataclass(frozen=True)
class Embeddings:
    """Cached features of one split, row by row with its chunk table.

    table: all rows, (chunks, width) float32, if they are kept in memory.
    """

    folder: Path
    table: np.ndarray | None = None

    @cached_property
    def _content(self) -> dict[str, Any]:
        return read_json(self.folder / LAYOUT_FILE)

    @property
    def data_sha256(self) -> str:
        """Fingerprint of the data and the backbone that these features come from."""
        return self._content["data_sha256"]

    @cached_property
    def _layout(self) -> tuple[int, dict[str, slice], int]:
        """Chunks per shard; feature -> its place in a row; numbers per row."""
        layout = self._content
        ends = list(accumulate(layout["widths"].values(), initial=0))
        places = map(slice, ends, ends[1:])
        return layout["shard_chunks"], dict(zip(layout["widths"], places, strict=True)), ends[-1]

    def in_memory(self, chunks: int) -> "Embeddings":
        """Return the same features, kept in memory unless they exceed IN_MEMORY_BYTES.

        chunks: their number in this split.
        """
        width = self._layout[-1]
        if chunks * width * NUMBER_BYTES > IN_MEMORY_BYTES:
            return self
        return replace(self, table=self._read(range(chunks), slice(0, width)))

    @property
    def width(self) -> int:
        """Number of values in a row: of all features together."""
        return sum(self._content["widths"].values())

    def blocks(self) -> Iterator[np.ndarray]:
        """Read all features of all chunks shard by shard, each (chunks, width) float32."""
        for path in sorted(self.folder.glob("shard-*.f32")):
            yield np.fromfile(path, "<f4").reshape(-1, self.width)

    def row(self, number: int) -> np.ndarray:
        """Return all features of one chunk, (width,) float32."""
        return self._read([number], slice(0, self.width))[0]

    def rows(self, rows: Sequence[int] | np.ndarray, feature: str = EMBEDDING) -> np.ndarray:
        """Return a feature of some rows, (rows, width) float32."""
        return self.features(rows, [feature])[feature]

    def features(
        self, rows: Sequence[int] | np.ndarray, names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Return several features of some rows by name, each (rows, width) float32.

        Raises LeanError for a feature that is not cached.
        """
        _, places, _ = self._layout
        for name in names:
            if name not in places:
                raise LeanError(f"{self.folder} holds no {name!r}, only {', '.join(places)}")
        first = min(places[name].start for name in names)
        values = self._read(rows, slice(first, max(places[name].stop for name in names)))
        return {
            name: values[:, places[name].start - first : places[name].stop - first]
            for name in names
        }

    def _read(self, rows: Sequence[int] | np.ndarray, place: slice) -> np.ndarray:
        """Return a part of some rows, from memory or else from disk by position."""
        if self.table is not None:
            return self.table[rows, place]
        shard_chunks, _, width = self._layout
        values = np.empty((len(rows), place.stop - place.start), "<f4")
        for value, row in zip(values, rows, strict=True):
            number, position = divmod(int(row), shard_chunks)
            offset_bytes = (position * width + place.start) * NUMBER_BYTES
            read_at(features_shard(self.folder, number), offset_bytes, value)
        return values
