"""Why some numbers must not be compared with published ones, on screen."""

import sys
from typing import Any


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
