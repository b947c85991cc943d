"""What the numbers rest on, in the metrics and in the report."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from lean_audio.backbones.base import load_provenance
from lean_audio.datasets.layout import SPLITS, Dataset


def describe(dataset: Dataset, audio: Path, yamnet: Path) -> dict[str, Any]:
    """The content of metrics/<dataset>/provenance.json."""
    stored = pd.read_parquet(audio / "clips.parquet", columns=["split"])["split"]
    clips = {split: int((stored == split).sum()) for split in SPLITS}
    return {
        "dataset": {
            "name": dataset.name,
            "origin": dataset.origin,
            "synthetic": dataset.synthetic,
            "classes": len(dataset.vocabulary),
            "clips": {**clips, "set_aside": len(dataset.clips) - len(stored)},
            "licences": _count_licences(dataset.clips["licence"]),
            "licence_filter": list(dataset.licence_filter),
        },
        "yamnet": asdict(load_provenance(yamnet)),
    }


def data_sha256(clips: Path, audio: Path, yamnet: Path, mean_normalization: bool) -> str:
    """Of what every model of a run is trained and scored on: metrics of two are not compared.

    That is the clips (by checksum) and their labels, the vocabulary, the chunks, and the backbone.
    """
    digest = hashlib.sha256(
        f"{load_provenance(yamnet).weights_sha256} {mean_normalization}".encode()
    )
    for name in ("clips.csv", "vocabulary.csv"):
        digest.update((clips / name).read_bytes())
    for split in SPLITS:
        digest.update(pd.read_parquet(audio / f"{split}.parquet").to_csv(index=False).encode())
    return digest.hexdigest()


def _count_licences(licences: pd.Series) -> dict[str, int]:
    """Clips by licence, those set aside included."""
    counts = licences.replace("", "not stated").value_counts()
    return {licence: int(counts[licence]) for licence in sorted(counts.index)}
