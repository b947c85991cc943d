"""Warnings about numbers that must not be compared with published ones."""

import sys
from typing import Any


def notices(provenance: dict[str, Any]) -> list[str]:
    """Return one sentence per reason why the numbers must not be compared with published ones.

    provenance: content of metrics/<dataset>/provenance.json.
    """
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
        lines.append("These numbers only show that the pipeline runs end to end.")
        rule = "=" * max(map(len, lines))
        print(rule, *lines, rule, sep="\n", file=sys.stderr)
