"""Warnings about numbers that must not be compared with published ones."""

from typing import Any


def notices(provenance: dict[str, Any]) -> list[str]:
    """Return one sentence per reason why the numbers must not be compared with published ones.

    provenance: content of metrics/<dataset>/provenance.json.
    """
    found = []
    if provenance["dataset"]["synthetic"]:
        found.append(
            "synthetic data: the clips are generated, so no number compares with a published one"
        )
    if not provenance["yamnet"]["trained"]:
        found.append("untrained YAMNet: the embeddings come from random weights")
    return found
