"""What the numbers of a run rest on: the data, the backbone, and fingerprints of both."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from lean_audio.backbones.base import load_provenance
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.datasets.layout import SPLITS, Dataset
from lean_audio.features.cache import LAYOUT_FILE
from lean_audio.features.chunks import CLIPS_FILE
from lean_audio.files import read_json


def describe_run(dataset: Dataset, audio: Path, weights: Path, embeddings: Path) -> dict[str, Any]:
    """Return the content of metrics/<dataset>/provenance.json."""
    clips = {
        split: pq.read_metadata(audio / SPLIT_FOLDERS[split] / CLIPS_FILE).num_rows
        for split in SPLITS
    }
    fingerprints = {
        split: read_json(embeddings / SPLIT_FOLDERS[split] / LAYOUT_FILE)["data_sha256"]
        for split in SPLITS
    }
    return {
        "dataset": {
            "name": dataset.name,
            "origin": dataset.origin,
            "synthetic": dataset.synthetic,
            "classes": len(dataset.vocabulary),
            "clips": {**clips, "set_aside": len(dataset.clips) - sum(clips.values())},
            "licences": _count_licences(dataset.clips["licence"]),
            "licence_filter": list(dataset.licence_filter),
            **({"parents": dataset.parents} if dataset.parents else {}),
        },
        "yamnet": asdict(load_provenance(weights)),
        "data_sha256": fingerprints,
    }


def _count_licences(licences: pd.Series) -> dict[str, int]:
    """Count clips by licence, those set aside included."""
    counts = licences.replace("", "not stated").value_counts()
    return {licence: int(counts[licence]) for licence in sorted(counts.index)}
