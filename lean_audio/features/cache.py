"""The backbone's features of every chunk as stored on disk, in shards, one directory per split.

A row is one chunk: its embedding, then the pooled activations of embed.layers. layout.json beside
the shards says what lies where in a row and which data it was computed from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from lean_audio.backbones.base import EMBEDDING
from lean_audio.errors import LeanError
from lean_audio.files import read_at, read_json

LAYOUT_FILE = "layout.json"


def features_shard(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}.f32"


@dataclass(frozen=True)
class Embeddings:
    """Cached features of one split, row by row with its chunk table."""

    folder: Path

    @cached_property
    def _content(self) -> dict[str, Any]:
        return read_json(self.folder / LAYOUT_FILE)

    @property
    def data_sha256(self) -> str:
        """Fingerprint of the data and the backbone that these features come from."""
        return self._content["data_sha256"]

    @cached_property
    def _layout(self) -> tuple[int, dict[str, tuple[int, int]], int]:
        """Chunks per shard; feature -> its first byte in a row and its width; bytes per row."""
        layout = self._content
        widths = layout["widths"]
        ends = [4 * end for end in accumulate(widths.values(), initial=0)]
        places = dict(zip(widths, zip(ends, widths.values(), strict=False), strict=True))
        return layout["shard_chunks"], places, ends[-1]

    @property
    def width(self) -> int:
        """Number of values in a row: of all features together."""
        return sum(self._content["widths"].values())

    def blocks(self) -> Iterator[np.ndarray]:
        """Read all features of all chunks shard by shard, each (chunks, width) float32."""
        for path in sorted(self.folder.glob("shard-*.f32")):
            yield np.fromfile(path, "<f4").reshape(-1, self.width)

    def rows(self, rows: Sequence[int] | np.ndarray, feature: str = EMBEDDING) -> np.ndarray:
        """Read a feature of some rows, (rows, width) float32, from disk by position.

        Raises LeanError for a feature that is not cached.
        """
        shard_chunks, places, row_bytes = self._layout
        if feature not in places:
            raise LeanError(f"{self.folder} holds no {feature!r}, only {', '.join(places)}")
        start, width = places[feature]
        values = np.empty((len(rows), width), "<f4")
        for value, row in zip(values, rows, strict=True):
            number, position = divmod(int(row), shard_chunks)
            path = features_shard(self.folder, number)
            read_at(path, position * row_bytes + start, value)
        return values
