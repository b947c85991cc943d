"""A small split on disk, for tests of what reads chunks and their embeddings."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
from helpers import clip_table

from lean_audio.backbones.base import EMBEDDING, PROVENANCE_FILE, Provenance
from lean_audio.features.cache import LAYOUT_FILE, Embeddings, features_shard
from lean_audio.features.chunks import index_chunks, open_chunks, save_tables, shard_path
from lean_audio.files import write_json
from lean_audio.training.batches import Examples

VOCABULARY = ("Bark", "Dog")
SHARD_CHUNKS = 4


def store(folder: Path, lengths: list[int], labels: list[tuple[str, ...]]) -> Examples:
    """Clips of noise whose embedding tells their labels, spread over several shards."""
    audio, embeddings = folder / "audio", folder / "embeddings"
    rng = np.random.default_rng(0)
    audio.mkdir(parents=True)
    sounds = rng.integers(-3000, 3000, sum(lengths)).astype("<i2")
    shard_path(audio, 0).write_bytes(sounds.tobytes())
    clips = clip_table(lengths).assign(labels=labels)
    save_tables(audio, clips, index_chunks(clips, 0.5, "repeat"), VOCABULARY)
    chunks = open_chunks(audio)
    features = rng.normal(size=(len(chunks), 1024)).astype("<f4")
    features[:, :2] += 3 * chunks.targets(np.arange(len(chunks)))
    layout = {"shard_chunks": SHARD_CHUNKS, "widths": {EMBEDDING: 1024}, "data_sha256": "0" * 64}
    write_json(embeddings / LAYOUT_FILE, layout)
    for number, start in enumerate(range(0, len(chunks), SHARD_CHUNKS)):
        shard = features[start : start + SHARD_CHUNKS]
        features_shard(embeddings, number).write_bytes(shard.tobytes())
    return Examples(chunks, Embeddings(embeddings))


def frozen(folder: Path) -> Path:
    """All that training reads of a backbone that stays as it is."""
    provenance = Provenance("untrained", "seed 1", False, None, "0", parameters=3_217_344)
    write_json(folder / PROVENANCE_FILE, asdict(provenance))
    return folder
