"""The on-device part of the report: cost and quality of each .tflite, and sensitive weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lean_audio.files import read_json
from lean_audio.report.inputs import Source, read_table

Record = Mapping[str, Any]
SENSITIVITY = Source(
    "quantize", "group kind saved_bytes mAP_drop score_change cumulative_change chosen"
)
# in records made before these were measured
NOT_MEASURED: dict[str, Any] = {
    "validation": {"mAP_drop": None},
    "F1": None,
    "false_alarms": None,
    "least_runtime": None,
    "reason": None,
}
FILES = ("device.json", "quantize.json", "sensitivity.csv")


def read_device(metrics_dir: Path) -> Record | None:
    """Read what the templates show; None if stage evaluate_device has not run."""
    device, quantized, sensitivity = (metrics_dir / name for name in FILES)
    if not device.is_file():
        return None
    measured, made = read_json(device), read_json(quantized)
    baseline = measured["baseline"]["latency"]
    schemes = [_row(name, row, baseline) for name, row in measured["schemes"].items()]
    return {
        "variant": measured["variant"],
        "mAP_keras": measured["mAP_keras"],
        "shipped": measured["shipped"],
        "threads": list(baseline),
        "baseline": baseline,
        "parts": _parts_ms(measured),
        "schemes": schemes,
        # 16-bit integers have fast kernels on small chips only: their time here would fill the axis
        "charted": [row for row in schemes if not row["name"].startswith("patch_")],
        "shipped_row": next(row for row in schemes if row["name"] == measured["shipped"]),
        "failures": made["failures"],
        "sensitivity": _numbers(sensitivity),
    }


def _row(name: str, measured: Record, baseline: Record) -> Record:
    latency = measured["latency"]
    against = {n: latency[n]["median_ms"] / baseline[n]["median_ms"] for n in baseline}
    interval = measured["mAP_drop_ci95"] or (None, None)  # no evaluation clip has a label
    row = {"name": name, "megabytes": measured["bytes"] / 1e6, "against": against, **measured}
    return NOT_MEASURED | row | {"mAP_drop_ci95": interval}


def _parts_ms(measured: Record) -> Record:
    """Split a chunk's latency, one thread, float32, into front end, backbone and head, in ms."""
    name = next(iter(measured["baseline"]["latency"]))
    front_end, yamnet, total = (
        part["latency"][name]["median_ms"]
        for part in (measured["front_end"], measured["baseline"], measured["schemes"]["float32"])
    )
    return {"front_end": front_end, "backbone": yamnet - front_end, "head": total - yamnet}


def _numbers(path: Path) -> list[Record]:
    if not path.read_text("utf-8").strip():
        return []  # no scheme is a mix that was probed
    measured = ("saved_bytes", "mAP_drop", "score_change", "cumulative_change")
    return [
        {
            **row,
            **{name: float(row[name] or "nan") for name in measured},
            "chosen": row["chosen"] == "True",
        }
        for row in read_table(path, SENSITIVITY)
    ]
