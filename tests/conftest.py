"""What several tests share."""

import os
from pathlib import Path

import pytest
from helpers import ROOT, write_layout

from lean_audio.params import Params, load_params


def shared(variable: str, name: str, proof: str) -> Path:
    """A directory too large for the repository; the test is skipped where it is not at hand."""
    path = Path(os.environ.get(variable, ROOT.parent / "shared" / name))
    if not (path / proof).exists():
        pytest.skip(f"{path} holds no {proof}: set {variable} to a directory that does")
    return path


@pytest.fixture(scope="session")
def yamnet_savedmodel() -> Path:
    return shared("LEAN_YAMNET", "yamnet", "saved_model.pb")


@pytest.fixture(scope="session")
def real_sounds() -> Path:
    return shared("LEAN_SOUNDS", "minifsd", "FSD50K.ground_truth")


@pytest.fixture(scope="session")
def params() -> Params:
    return load_params(ROOT / "params.yaml")


@pytest.fixture
def layout(tmp_path) -> Path:
    """Four clips: a and b to train, c to validate, d to evaluate."""
    splits = {"a": "train", "b": "train", "c": "val", "d": "eval"}
    clips = {
        name: (split, "Bark,Dog" if name in "acd" else "Dog") for name, split in splits.items()
    }
    return write_layout(tmp_path / "sounds", clips)
