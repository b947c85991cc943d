"""Chunks whose features are there from the run before: only those of new clips are computed.

A chunk is known by a hash of its samples. The hashes are kept beside the features and are no output
of the stage: without them, or after a change of the code, all features are computed.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.features.cache import LAYOUT_FILE, Embeddings
from lean_audio.files import atomic_file, read_json

FILE = "embedded.npz"


def chunk_hash(samples: np.ndarray) -> int:
    """Hash the samples of one chunk to 64 bits."""
    return int.from_bytes(hashlib.blake2b(samples.tobytes(), digest_size=8).digest())


@dataclass(frozen=True)
class Known:
    """The features of the run before, by the hashes of their chunks.

    hashes: sorted; split, row: where the features of each are.
    """

    features: tuple[Embeddings, ...]
    hashes: np.ndarray
    split: np.ndarray
    row: np.ndarray

    def find(self, key: int) -> np.ndarray | None:
        """Return all features of a chunk, (width,) float32, or None if it is not known."""
        place = int(np.searchsorted(self.hashes, np.uint64(key)))
        if place == len(self.hashes) or int(self.hashes[place]) != key:
            return None
        return self.features[self.split[place]].row(int(self.row[place]))


def save_known(folder: Path, key: str, hashes: Mapping[str, list[int]]) -> None:
    """Write beside the features of `folder` which chunks they are of, by split and in order.

    key: hash of what they follow from besides the chunks.
    """
    joined = np.array([value for split in SPLIT_FOLDERS for value in hashes[split]], np.uint64)
    counts = np.array([len(hashes[split]) for split in SPLIT_FOLDERS])
    about = np.array([key, *_data(folder)])
    with atomic_file(folder.with_name(FILE)) as temporary:
        np.savez(temporary, about=about, hashes=joined, counts=counts)


@lru_cache(maxsize=1)
def open_known(folder: Path, key: str, run: Path | None = None) -> Known | None:
    """Return what save_known wrote, or None if it is of other features than those in `folder`.

    run: distinguishes runs, because a cluster's workers outlive one.
    """
    path = folder.with_name(FILE)
    try:
        with np.load(path) as saved:
            if [key, *_data(folder)] != saved["about"].tolist():
                return None
            hashes, counts = saved["hashes"], saved["counts"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    order = np.argsort(hashes, kind="stable")
    split = np.repeat(np.arange(len(counts)), counts)
    row = np.concatenate([np.arange(count) for count in counts])
    features = tuple(Embeddings(folder / place) for place in SPLIT_FOLDERS.values())
    return Known(features, hashes[order], split[order], row[order])


def _data(folder: Path) -> list[str]:
    """Return the data that each split's features are of."""
    layouts = [folder / place / LAYOUT_FILE for place in SPLIT_FOLDERS.values()]
    return [read_json(layout)["data_sha256"] for layout in layouts]
