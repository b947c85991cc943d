"""What the numbers rest on, in the metrics, in the report and on screen."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from lean_audio.datasets import SPLITS, Dataset
from lean_audio.yamnet import load_provenance


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
        },
        "yamnet": asdict(load_provenance(yamnet)),
    }


def notices(provenance: dict[str, Any]) -> list[str]:
    """One sentence for each reason why the numbers must not be compared with published ones."""
    found = []
    if provenance["dataset"]["synthetic"]:
        found.append("SYNTHETIC DATA: the clips are generated, not recorded.")
    if not provenance["yamnet"]["trained"]:
        found.append("UNTRAINED YAMNET: the embeddings come from random weights.")
    return found


def print_notices(provenance: dict[str, Any]) -> None:
    """Write the notices to stderr, framed."""
    lines = notices(provenance)
    if lines:
        lines.append("These numbers show that the pipeline works and nothing else.")
        rule = "=" * max(map(len, lines))
        print(rule, *lines, rule, sep="\n", file=sys.stderr)
