"""Batches streamed from disk: embeddings, waveforms and targets of one split's chunks."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from lean_audio.audio import to_float
from lean_audio.chunks import Chunks, open_chunks
from lean_audio.embeddings import Embeddings


@dataclass(frozen=True)
class Examples:
    """One split: its chunks and their cached embeddings, row by row."""

    chunks: Chunks
    embeddings: Embeddings

    def inputs(self, rows: np.ndarray, waveform: bool) -> dict[str, np.ndarray]:
        """embedding (rows, 1024) and, if asked for, waveform (rows, 16000) in [-1, 1)."""
        inputs = {"embedding": self.embeddings.rows(rows)}
        if waveform:
            inputs["waveform"] = to_float(self.chunks.waveforms(rows))
        return inputs


def open_examples(
    audio: Path, embeddings: Path, split: str, vocabulary: tuple[str, ...], shard_chunks: int
) -> Examples:
    chunks = open_chunks(audio, split, vocabulary)
    return Examples(chunks, Embeddings(embeddings, split, shard_chunks))


class ShuffledBatches(keras.utils.PyDataset):
    """Training batches; the order of an epoch depends on the seed and the epoch alone."""

    def __init__(self, examples: Examples, batch_size: int, seed: int, *, waveform: bool):
        super().__init__()
        self.examples, self.batch_size, self.waveform = examples, batch_size, waveform
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
        """Inputs and targets (rows, classes)."""
        return self.examples.inputs(rows, self.waveform), self.examples.chunks.targets(rows)


class OrderedBatches(keras.utils.PyDataset):
    """Inputs of all chunks in order, without targets, for prediction."""

    def __init__(self, examples: Examples, batch_size: int, *, waveform: bool):
        super().__init__()
        self.examples, self.batch_size, self.waveform = examples, batch_size, waveform

    def __len__(self) -> int:
        return -(-len(self.examples.chunks) // self.batch_size)

    def __getitem__(self, index: int):
        start = index * self.batch_size
        rows = np.arange(start, min(start + self.batch_size, len(self.examples.chunks)))
        return (self.examples.inputs(rows, self.waveform),)
