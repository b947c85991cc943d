"""A small split on disk, for tests of what reads chunks and their embeddings."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from helpers import clip_table

from lean_audio.backbones.base import EMBEDDING, PROVENANCE_FILE, Provenance
from lean_audio.features.cache import LAYOUT_FILE, Embeddings
from lean_audio.features.cache import shard_path as embeddings_path
from lean_audio.features.chunks import index_chunks, open_chunks, save_tables, shard_path
from lean_audio.files import write_json
from lean_audio.training.batches import Examples

VOCABULARY = ("Bark", "Dog")
SHARD_CHUNKS = 4


def store(folder: Path, lengths: list[int], labels: list[tuple[str, ...]]) -> Examples:
    """Clips of noise whose embedding tells their labels, spread over several shards."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    sounds = rng.integers(-3000, 3000, sum(lengths)).astype("<i2")
    shard_path(folder, 0).write_bytes(sounds.tobytes())
    clips = clip_table(lengths).assign(labels=labels)
    save_tables(folder, clips, {"eval": index_chunks(clips, 0.5, "repeat")})
    chunks = open_chunks(folder, "eval", VOCABULARY)
    embeddings = rng.normal(size=(len(chunks), 1024)).astype("<f4")
    embeddings[:, :2] += 3 * chunks.targets(np.arange(len(chunks)))
    for number, start in enumerate(range(0, len(chunks), SHARD_CHUNKS)):
        shard = embeddings[start : start + SHARD_CHUNKS]
        embeddings_path(folder, "eval", number).write_bytes(shard.tobytes())
    layout = {"shard_chunks": SHARD_CHUNKS, "widths": {EMBEDDING: 1024}}
    (folder / LAYOUT_FILE).write_text(json.dumps(layout))
    return Examples(chunks, Embeddings(folder, "eval"))


def frozen(folder: Path) -> Path:
    """All that training reads of a backbone that stays as it is."""
    provenance = Provenance("untrained", "seed 1", False, None, "0", parameters=3_217_344)
    write_json(folder / PROVENANCE_FILE, asdict(provenance))
    return folder
