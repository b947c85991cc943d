"""Chunks whose features are there from the run before: only those of new clips are computed.

A chunk is known by a hash of its samples. The hashes are kept beside the features and are no output
of the stage: without them, or after a change of the code, all features are computed. DVC may have
put other features in their place since, so features are taken only if their own hash is that of
those that were written.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.errors import LeanError
from lean_audio.features.cache import LAYOUT_FILE, Embeddings
from lean_audio.files import atomic_file, read_json

FILE = "embedded.npz"


def hash_array(values: np.ndarray) -> int:
    """Hash the samples or the features of one chunk to 64 bits."""
    return int.from_bytes(hashlib.blake2b(values.tobytes(), digest_size=8).digest())


@dataclass(frozen=True)
class Known:
    """The features of the run before, by the hashes of their chunks.

    hashes: sorted; written: hashes of their features; split, row: where the features of each are.
    """

    features: tuple[Embeddings, ...]
    hashes: np.ndarray
    written: np.ndarray
    split: np.ndarray
    row: np.ndarray

    def find(self, key: int) -> np.ndarray | None:
        """Return all features of a chunk, (width,) float32, or None if it is not known."""
        place = int(np.searchsorted(self.hashes, np.uint64(key)))
        if place == len(self.hashes) or int(self.hashes[place]) != key:
            return None
        try:
            values = self.features[self.split[place]].row(int(self.row[place]))
        except (OSError, LeanError):  # a shard is missing or cut
            return None
        return values if hash_array(values) == int(self.written[place]) else None


def save_known(folder: Path, key: str, hashes: Mapping[str, list[tuple[int, int]]]) -> None:
    """Write beside the features of `folder` which chunks they are of, by split and in order.

    key: hash of what they follow from besides the chunks; hashes: of the samples and the features
    of each chunk.
    """
    pairs = [pair for split in SPLIT_FOLDERS for pair in hashes[split]]
    joined = np.array(pairs, np.uint64).reshape(-1, 2)
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
            (hashes, written), counts = saved["hashes"].T, saved["counts"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    order = np.argsort(hashes, kind="stable")
    split = np.repeat(np.arange(len(counts)), counts)
    row = np.concatenate([np.arange(count) for count in counts])
    features = tuple(Embeddings(folder / place) for place in SPLIT_FOLDERS.values())
    return Known(features, *(column[order] for column in (hashes, written, split, row)))


def _data(folder: Path) -> list[str]:
    """Return the data that each split's features are of."""
    layouts = [folder / place / LAYOUT_FILE for place in SPLIT_FOLDERS.values()]
    return [read_json(layout)["data_sha256"] for layout in layouts]
