"""Finished .tflite files for the tests of what runs them."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lean_audio.device.quantize import Card, write_file
from lean_audio.device.score import Clips

LABELS = tuple(f"Sound_{number}" for number in range(7))


@dataclass(frozen=True)
class Made:
    """folder: holds bare.tflite; waveforms: (n, 16000); scores: (n, classes) by Keras."""

    folder: Path
    waveforms: np.ndarray
    scores: np.ndarray


def card(scheme: str, hop_s: float = 0.5, tail: str = "repeat") -> Card:
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
        calibration={"slope": [1.0] * len(LABELS), "intercept": [0.0] * len(LABELS)},
        decisions="none: random weights",
        float_model_sha256="0" * 64,
        licence="none",
    )


def write(bare: Path, path: Path, scheme: str, mix: dict[str, str], **changes) -> Path:
    """A finished file of random weights; changes: hop_s and tail of its card."""
    clips = Clips(Path(os.devnull), "val", LABELS, ())
    write_file(bare, mix, clips, card(scheme, **changes), scheme, path)
    return path
