"""Small datasets as stage prepare writes them: samples, tables and the list of clips."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.datasets.layout import CLIP_COLUMNS, Dataset
from lean_audio.features.chunks import index_chunks, save_tables, shard_path
from lean_audio.review.sound import level

RATE_HZ = 16_000
Clip = tuple[str, Sequence[str], np.ndarray]
VOCABULARY = ("Hum", "Rain")


def noise(seed: int, seconds: float = 1.5) -> np.ndarray:
    """Low noise that swells and fades: no two seeds sound alike to a waveform."""
    rng = np.random.default_rng(seed)
    samples = int(seconds * RATE_HZ)
    hiss = np.convolve(rng.standard_normal(samples), np.ones(8) / 8**0.5, mode="same")
    swell = np.interp(np.arange(samples), np.linspace(0, samples, 12), rng.uniform(0.05, 1, 12))
    return (4000 * swell * hiss).clip(-30_000, 30_000).astype(np.int16)


def write_split(folder: Path, clips: Sequence[Clip], vocabulary: Sequence[str]) -> None:
    lengths = [len(samples) for _, _, samples in clips]
    table = pd.DataFrame(
        {
            "clip": [name for name, _, _ in clips],
            "labels": [list(labels) for _, labels, _ in clips],
            "shard": 0,
            "offset": np.cumsum([0, *lengths[:-1]]),
            "samples": lengths,
        }
    )
    folder.mkdir(parents=True)
    shard_path(folder, 0).write_bytes(b"".join(samples.tobytes() for _, _, samples in clips))
    save_tables(folder, table, index_chunks(table, 1.0, "repeat"), vocabulary)


def make_dataset(
    audio: Path, clips: Mapping[str, Sequence[Clip]], vocabulary: Sequence[str] = VOCABULARY
) -> Dataset:
    """Write the samples of clips by split, and return their dataset."""
    rows = []
    for split, place in SPLIT_FOLDERS.items():
        write_split(audio / place, clips[split], vocabulary)
        for name, labels, samples in clips[split]:
            checksum = level(samples)["digest"]
            rows.append((name, split, tuple(labels), f"{name}.wav", "", "", checksum, "", "", ""))
    table = pd.DataFrame(rows, columns=CLIP_COLUMNS)
    return Dataset("sounds", "made here", False, tuple(vocabulary), table)
