"""Batches of one split's chunks: features from memory or disk, waveforms from disk, targets."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from lean_audio.audio.decode import to_float
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.features.cache import Embeddings
from lean_audio.features.chunks import Chunks, open_chunks
from lean_audio.model import WAVEFORM


@dataclass(frozen=True)
class Examples:
    """One split: its chunks and their cached features, row by row."""

    chunks: Chunks
    embeddings: Embeddings

    def inputs(self, rows: np.ndarray, names: Collection[str]) -> dict[str, np.ndarray]:
        """Return the model inputs of these names for some chunks.

        waveform: (rows, 16000) in [-1, 1); any other: (rows, width), a feature of the backbone.
        """
        features = [name for name in names if name != WAVEFORM]
        found = self.embeddings.features(rows, features) if features else {}
        if len(features) < len(names):
            found[WAVEFORM] = to_float(self.chunks.waveforms(rows))
        return found

    def in_memory(self) -> "Examples":
        """Return the same examples with features that are read once, if they fit memory."""
        return replace(self, embeddings=self.embeddings.in_memory(len(self.chunks)))


def open_examples(audio: Path, embeddings: Path, split: str) -> Examples:
    """Open one split of a dataset's samples and features."""
    folder = SPLIT_FOLDERS[split]
    return Examples(open_chunks(audio / folder), Embeddings(embeddings / folder))


class ShuffledBatches(keras.utils.PyDataset):
    """Training batches; the order of an epoch depends on the seed and the epoch alone.

    mixup: above 0, every chunk is mixed with another one of its batch, inputs and targets alike,
    with a weight drawn from Beta(mixup, mixup) (Zhang et al., 2018).
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        seed: int,
        inputs: Collection[str],
        mixup: float = 0.0,
    ):
        super().__init__()
        self.examples, self.batch_size, self.inputs = examples, batch_size, list(inputs)
        self.mixup = mixup
        self.seed, self.epoch = seed, -1
        self.on_epoch_begin()

    def on_epoch_begin(self) -> None:
        self.epoch += 1
        rng = np.random.default_rng([self.seed, self.epoch])
        self.order = rng.permutation(len(self.examples.chunks))

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index: int):
        return self.read(self.rows(index))

    def rows(self, index: int) -> np.ndarray:
        return self.order[index * self.batch_size : (index + 1) * self.batch_size]

    def read(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Read inputs and targets (rows, classes), mixed if asked for."""
        inputs, targets = (
            self.examples.inputs(rows, self.inputs),
            self.examples.chunks.targets(rows),
        )
        if not self.mixup:
            return inputs, targets
        rng = np.random.default_rng([self.seed, self.epoch, *rows.tolist()])
        weights = rng.beta(self.mixup, self.mixup, (len(rows), 1)).astype(np.float32)
        others = rng.permutation(len(rows))

        def mixed(values: np.ndarray) -> np.ndarray:
            return weights * values + (1 - weights) * values[others]

        return {name: mixed(values) for name, values in inputs.items()}, mixed(targets)


class OrderedBatches(keras.utils.PyDataset):
    """Inputs of all chunks in order, without targets, for prediction."""

    def __init__(self, examples: Examples, batch_size: int, inputs: Collection[str]):
        super().__init__()
        self.examples, self.batch_size, self.inputs = examples, batch_size, list(inputs)

    def __len__(self) -> int:
        return -(-len(self.examples.chunks) // self.batch_size)

    def __getitem__(self, index: int):
        start = index * self.batch_size
        rows = np.arange(start, min(start + self.batch_size, len(self.examples.chunks)))
        return (self.examples.inputs(rows, self.inputs),)
