"""Chunks whose features are there from the run before: only those of new clips are computed.

A chunk is known by a hash of its samples. Features and hashes are kept beside the stage's outputs,
which DVC deletes before the stage runs: as hard links, which take no space of their own. Without
them, or after a change of the code, all features are computed. Features are taken only if their own
hash is that of those that were written.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.errors import LeanError
from lean_audio.features.cache import Embeddings
from lean_audio.files import atomic_directory

FOLDER, FILE = "embedded", "hashes.npz"


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
    """Keep the features of `folder` beside it, with the chunks that they are of, split by split.

    key: hash of what they follow from besides the chunks; hashes: of the samples and the features
    of each chunk.
    """
    pairs = [pair for split in SPLIT_FOLDERS for pair in hashes[split]]
    joined = np.array(pairs, np.uint64).reshape(-1, 2)
    counts = np.array([len(hashes[split]) for split in SPLIT_FOLDERS])
    with atomic_directory(folder.with_name(FOLDER)) as temporary:
        shutil.copytree(folder, temporary, copy_function=_link, dirs_exist_ok=True)
        np.savez(temporary / FILE, key=np.array(key), hashes=joined, counts=counts)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


@lru_cache(maxsize=1)
def open_known(folder: Path, key: str, run: Path | None = None) -> Known | None:
    """Return what save_known kept beside `folder`, or None if that is nothing or of another key.

    run: distinguishes runs, because a cluster's workers outlive one.
    """
    kept = folder.with_name(FOLDER)
    try:
        with np.load(kept / FILE) as saved:
            if saved["key"].item() != key:
                return None
            (hashes, written), counts = saved["hashes"].T, saved["counts"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    order = np.argsort(hashes, kind="stable")
    split = np.repeat(np.arange(len(counts)), counts)
    row = np.concatenate([np.arange(count) for count in counts])
    features = tuple(Embeddings(kept / place) for place in SPLIT_FOLDERS.values())
    return Known(features, *(column[order] for column in (hashes, written, split, row)))
