"""The on-device part of the report: what each .tflite costs and loses, and which weights matter."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lean_audio.files import read_json

Record = Mapping[str, Any]
FILES = ("device.json", "quantize.json", "sensitivity.csv")


def read_device(metrics_dir: Path) -> Record | None:
    """What the templates show; None where the stage evaluate_device has not run."""
    device, quantized, sensitivity = (metrics_dir / name for name in FILES)
    if not device.is_file():
        return None
    measured, made = read_json(device), read_json(quantized)
    yardstick = measured["yardstick"]["latency"]
    return {
        "variant": measured["variant"],
        "mAP_keras": measured["mAP_keras"],
        "shipped": measured["shipped"],
        "threads": list(yardstick),
        "yardstick": yardstick,
        "schemes": [_row(name, row, yardstick) for name, row in measured["schemes"].items()],
        "failures": made["failures"],
        "mixes": {name: _grouped(mix) for name, mix in made["mixes"].items() if len(mix) > 1},
        "sensitivity": _numbers(sensitivity),
    }


def _row(name: str, measured: Record, yardstick: Record) -> Record:
    latency = measured["latency"]
    against = {n: latency[n]["median_ms"] / yardstick[n]["median_ms"] for n in yardstick}
    return {"name": name, "megabytes": measured["bytes"] / 1e6, "against": against, **measured}


def _grouped(mix: Record) -> dict[str, list[str]]:
    """Kind -> groups, without the entry for all the others."""
    kinds: dict[str, list[str]] = {}
    for group, kind in list(mix.items())[1:]:
        kinds.setdefault(kind, []).append(group)
    return kinds


def _numbers(path: Path) -> list[Record]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    measured = ("saved_bytes", "mAP_drop", "score_difference", "joined_mAP_drop")
    return [
        {**row, **{name: float(row[name]) for name in measured}, "chosen": row["chosen"] == "True"}
        for row in rows
    ]
