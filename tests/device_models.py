"""Finished .tflite files for the tests of what runs them."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lean_audio.device.quantize import Card, add_metadata, quantize_file
from lean_audio.device.score import Clips

LABELS = tuple(f"Sound_{number}" for number in range(7))


@dataclass(frozen=True)
class Made:
    """folder: holds bare.tflite and head.weights.h5; waveforms: (n, 16000); scores: by Keras."""

    folder: Path
    waveforms: np.ndarray
    scores: np.ndarray

    @property
    def bare(self) -> Path:
        """The float32 file without metadata."""
        return self.folder / "bare.tflite"


def card(hop_s: float, tail: str) -> Card:
    return Card(
        variant="joint-bahdanau",
        dataset="noise",
        synthetic=True,
        yamnet_trained=False,
        sample_rate_hz=16_000,
        chunk_samples=16_000,
        hop_s=hop_s,
        tail=tail,
        resampler="HQ",
        thresholds=[0.5] * len(LABELS),
        threshold_floor=None,
        floored_labels=[],
        calibration={"slope": [1.0] * len(LABELS), "intercept": [0.0] * len(LABELS)},
        decisions="none: random weights",
        float_model_sha256="0" * 64,
        licence="none",
    )


def write(
    bare: Path,
    path: Path,
    scheme: str,
    mix: dict[str, str],
    *,
    hop_s: float = 0.5,
    tail: str = "repeat",
) -> Path:
    """Write a finished file, as stage quantize does."""
    quantize_file(bare, mix, Clips(Path(os.devnull), ()), path)
    add_metadata(path, LABELS, card(hop_s, tail), scheme)
    return path
