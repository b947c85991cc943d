"""Print what is inside a model file."""

from pathlib import Path
from typing import Any


def print_card(path: Path, labels: list[str], card: dict[str, Any], checksum: bool | None) -> None:
    """Print what `lean-audio info` shows: the card, and the labels with their thresholds.

    checksum: whether the weights have theirs; None if none is stored.
    """
    print(f"{path}  ({path.stat().st_size:,} bytes)")
    for name, value in card.items():
        if name not in ("thresholds", "calibration"):
            print(f"  {name}: {value}")
    stored = {True: "the weights are as they were written", None: "none is stored in this file"}
    print(f"  checksum: {stored.get(checksum, 'wrong')}")
    print(f"  labels ({len(labels)}), each with its threshold:")
    for label, threshold in zip(labels, card["thresholds"], strict=True):
        print(f"    {label}  {threshold:.3f}")
