"""What a model costs on a device, whatever it has learned: bytes and milliseconds."""

from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from lean_audio.audio.decode import SAMPLE_RATE_HZ, to_float
from lean_audio.backbones.base import Backbone
from lean_audio.config.schema import Device, Variant
from lean_audio.device.export import export_features, export_tagger
from lean_audio.device.measure import time_models
from lean_audio.device.recipes import MIXES, quantize
from lean_audio.features.chunks import Chunks
from lean_audio.model import build_head
from lean_audio.tflite.file import LABELS_FILE, finish

SCHEME = "weight_only_int8"


@dataclass(frozen=True)
class Cost:
    """bytes: of the finished file in 8 bits; latency, backbone_latency: threads -> ms of one chunk.

    The latter is that of the float32 backbone alone, timed in turns with the model.
    """

    scheme: str
    bytes: int
    latency: dict[str, Any]
    backbone_latency: dict[str, Any]

    def asdict(self) -> dict[str, Any]:
        return asdict(self)


def measure_cost(
    variant: Variant, chunks: Chunks, backbone: Backbone, pretrained: Path, settings: Device
) -> Cost:
    """Export with an untrained head, quantize and time on some of the chunks."""
    classes = len(chunks.vocabulary)
    with TemporaryDirectory() as name:
        head, model, plain = (Path(name, file) for file in ("h.weights.h5", "m.tflite", "p.tflite"))
        build_head(variant, classes, backbone).save_weights(head)
        content = export_tagger(variant, classes, backbone, pretrained, head)
        labels = {LABELS_FILE: "".join(f"{label}\n" for label in chunks.vocabulary)}
        about = {"name": "cost", "description": SCHEME, "sample_rate_hz": SAMPLE_RATE_HZ}
        model.write_bytes(finish(quantize(content, MIXES[SCHEME]), labels, **about))
        plain.write_bytes(export_features(backbone, pretrained))
        rows = np.arange(min(settings.timed_chunks, len(chunks)))
        times = time_models([model, plain], to_float(chunks.waveforms(rows)), settings)
        return Cost(SCHEME, model.stat().st_size, times[model.stem], times[plain.stem])
