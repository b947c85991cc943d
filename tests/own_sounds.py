"""Directories of tiny sounds in any layout."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from lean_audio.config.datasets import Folder
from lean_audio.config.params import load_source
from lean_audio.datasets.folder import read_own_sounds
from lean_audio.datasets.layout import Dataset

SETTINGS = load_source("sounds", Path(__file__).parents[1])


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


def read(root: Path, **changes) -> Dataset:
    """Read one's own sounds with the settings of params.yaml, apart from `changes`."""
    return read_own_sounds(settings(root, **changes), "sounds")[0]


def line(root: Path, **changes) -> str:
    """What the stage says."""
    return read_own_sounds(settings(root, **changes), "sounds")[1]


def column(dataset: Dataset, name: str) -> dict[str, object]:
    """One column of the clips, by clip."""
    return dict(zip(dataset.clips["clip"], dataset.clips[name], strict=True))
