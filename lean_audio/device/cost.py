"""What a model costs on a device, whatever it has learned: bytes and milliseconds."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from lean_audio.audio.decode import SAMPLE_RATE_HZ, to_float
from lean_audio.backbones.base import Backbone
from lean_audio.backbones.export import export_features
from lean_audio.config.schema import Network
from lean_audio.device.export import export_tagger
from lean_audio.device.measure import TIMED_CHUNKS, time_models
from lean_audio.device.recipes import MIXES, quantize
from lean_audio.features.chunks import Chunks
from lean_audio.model import build_head
from lean_audio.tflite.file import LABELS_FILE, finish

SCHEME = "weight_only_int8"


@dataclass(frozen=True)
class Cost:
    """Size of the 8-bit file, and latency per chunk: threads -> ms.

    backbone_latency: of the float32 backbone alone, timed in turns with the model.
    """

    scheme: str
    bytes: int
    latency: dict[str, Any]
    backbone_latency: dict[str, Any]

    def asdict(self) -> dict[str, Any]:
        return asdict(self)


def measure_cost(
    network: Network, chunks: Chunks, backbone: Backbone, weights: Path, threads: Sequence[int]
) -> Cost:
    """Export the network with an untrained head, quantize it, and time it on some of the chunks."""
    classes = len(chunks.vocabulary)
    with TemporaryDirectory() as name:
        head, model, plain = (Path(name, file) for file in ("h.weights.h5", "m.tflite", "p.tflite"))
        build_head(network, classes, backbone).save_weights(head)
        content = export_tagger(network, classes, backbone, weights, head)
        labels = {LABELS_FILE: "".join(f"{label}\n" for label in chunks.vocabulary)}
        about = {"name": "cost", "description": SCHEME, "sample_rate_hz": SAMPLE_RATE_HZ}
        model.write_bytes(finish(quantize(content, MIXES[SCHEME]), labels, **about))
        plain.write_bytes(export_features(backbone, weights))
        rows = np.arange(min(TIMED_CHUNKS, len(chunks)))
        times = time_models([model, plain], to_float(chunks.waveforms(rows)), threads)
        return Cost(SCHEME, model.stat().st_size, times[model.stem], times[plain.stem])
