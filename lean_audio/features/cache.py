"""The backbone's features of every chunk as they lie on disk, in shards.

A row is one chunk: its embedding and, after it, the pooled activations of embed.layers. What
lies where in a row is said by layout.json beside the shards, so readers need no parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np

from lean_audio.backbones.base import EMBEDDING
from lean_audio.errors import LeanError
from lean_audio.files import read_at, read_json

LAYOUT_FILE = "layout.json"


def shard_path(folder: Path, split: str, number: int) -> Path:
    return folder / f"{split}-{number:05d}.f32"


@dataclass(frozen=True)
class Embeddings:
    """Cached features of one split, row by row with its chunk table."""

    folder: Path
    split: str

    @cached_property
    def _layout(self) -> tuple[int, dict[str, tuple[int, int]], int]:
        """Chunks in a shard; feature -> its first byte in a row and its width; bytes of a row."""
        layout = read_json(self.folder / LAYOUT_FILE)
        widths = layout["widths"]
        ends = [4 * end for end in accumulate(widths.values(), initial=0)]
        places = dict(zip(widths, zip(ends, widths.values(), strict=False), strict=True))
        return layout["shard_chunks"], places, ends[-1]

    def rows(self, rows: Sequence[int] | np.ndarray, feature: str = EMBEDDING) -> np.ndarray:
        """(rows, width of the feature) float32, read from disk by position.

        Raises LeanError for a feature that is not cached.
        """
        shard_chunks, places, row_bytes = self._layout
        if feature not in places:
            raise LeanError(f"{self.folder} holds no {feature!r}, only {', '.join(places)}")
        start, width = places[feature]
        values = np.empty((len(rows), width), "<f4")
        for value, row in zip(values, rows, strict=True):
            number, position = divmod(int(row), shard_chunks)
            path = shard_path(self.folder, self.split, number)
            read_at(path, position * row_bytes + start, value)
        return values
