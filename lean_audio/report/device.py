"""The on-device part of the report: what each .tflite costs and loses, and which weights matter."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lean_audio.files import read_json
from lean_audio.report.inputs import Source, read_table

Record = Mapping[str, Any]
SENSITIVITY = Source(
    "quantize", "group kind saved_bytes mAP_drop score_change joined_change chosen"
)
FILES = ("device.json", "quantize.json", "sensitivity.csv")


def read_device(metrics_dir: Path) -> Record | None:
    """What the templates show; None where the stage evaluate_device has not run."""
    device, quantized, sensitivity = (metrics_dir / name for name in FILES)
    if not device.is_file():
        return None
    measured, made = read_json(device), read_json(quantized)
    yardstick = measured["yardstick"]["latency"]
    schemes = [_row(name, row, yardstick) for name, row in measured["schemes"].items()]
    return {
        "variant": measured["variant"],
        "mAP_keras": measured["mAP_keras"],
        "shipped": measured["shipped"],
        "threads": list(yardstick),
        "yardstick": yardstick,
        "shares": _shares_ms(measured),
        "schemes": schemes,
        "shipped_row": next(row for row in schemes if row["name"] == measured["shipped"]),
        "failures": made["failures"],
        "sensitivity": _numbers(sensitivity),
    }


def _row(name: str, measured: Record, yardstick: Record) -> Record:
    latency = measured["latency"]
    against = {n: latency[n]["median_ms"] / yardstick[n]["median_ms"] for n in yardstick}
    return {"name": name, "megabytes": measured["bytes"] / 1e6, "against": against, **measured}


def _shares_ms(measured: Record) -> Record:
    """Milliseconds of one chunk on one thread, float32: front end, backbone, and all the rest."""
    name = next(iter(measured["yardstick"]["latency"]))
    front_end, yamnet, whole = (
        part["latency"][name]["median_ms"]
        for part in (measured["front_end"], measured["yardstick"], measured["schemes"]["float32"])
    )
    return {"front_end": front_end, "backbone": yamnet - front_end, "head": whole - yamnet}


def _numbers(path: Path) -> list[Record]:
    if not path.read_text("utf-8").strip():
        return []  # no scheme is a mix that was probed
    measured = ("saved_bytes", "mAP_drop", "score_change", "joined_change")
    return [
        {
            **row,
            **{name: float(row[name] or "nan") for name in measured},
            "chosen": row["chosen"] == "True",
        }
        for row in read_table(path, SENSITIVITY)
    ]
