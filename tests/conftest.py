"""What several tests share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def yamnet_savedmodel() -> Path:
    """YAMNet's SavedModel, which is too large for the repository."""
    path = Path(os.environ.get("LEAN_YAMNET", ROOT.parent / "shared" / "yamnet"))
    if not (path / "saved_model.pb").is_file():
        pytest.skip(f"no YAMNet SavedModel at {path}: set LEAN_YAMNET to its directory")
    return path


@pytest.fixture(scope="session")
def real_sounds() -> Path:
    """A directory of real clips in FSD50K layout."""
    path = Path(os.environ.get("LEAN_SOUNDS", ROOT.parent / "shared" / "minifsd"))
    if not (path / "FSD50K.ground_truth").is_dir():
        pytest.skip(f"no clips in FSD50K layout at {path}: set LEAN_SOUNDS to their directory")
    return path
