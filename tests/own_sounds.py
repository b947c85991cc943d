"""Directories of tiny sounds in any layout."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from lean_audio.config.datasets import Folder
from lean_audio.config.params import load_params, load_source
from lean_audio.datasets import folder
from lean_audio.datasets.layout import Dataset

ROOT = Path(__file__).parents[1]
PREPARE = load_params(ROOT / "params.yaml").prepare
SETTINGS = load_source("sounds", ROOT)


def write_sounds(root: Path, files: Iterable[str]) -> Path:
    """Write a clip of 10 ms per file, each one different."""
    for number, file in enumerate(files):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).uniform(-0.5, 0.5, 160)
        soundfile.write(os.fsencode(path), noise, 16_000)
    return root


def settings(root: Path, **changes) -> Folder:
    return Folder.model_validate(SETTINGS.model_dump() | {"root": root} | changes)


def read_own_sounds(settings: Folder) -> tuple[Dataset, str]:
    return folder.read_own_sounds(settings, "sounds", PREPARE)


def read(root: Path, **changes) -> Dataset:
    """Read one's own sounds with the settings of params.yaml, apart from `changes`."""
    return read_own_sounds(settings(root, **changes))[0]


def line(root: Path, **changes) -> str:
    """What the stage says."""
    return read_own_sounds(settings(root, **changes))[1]


def column(dataset: Dataset, name: str) -> dict[str, object]:
    """One column of the clips, by clip."""
    return dict(zip(dataset.clips["clip"], dataset.clips[name], strict=True))


def write_noise(path: Path, length_s: float, seed: int, rate_hz: int = 16_000) -> Path:
    """Write a recording of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, round(length_s * rate_hz))
    soundfile.write(path, noise, rate_hz)
    return path
