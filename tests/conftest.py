"""What several tests share."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from lean_audio.params import Params, load_params

ROOT = Path(__file__).parents[1]


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


def write_layout(root: Path, clips: dict[str, tuple[str, str]], rate_hz: int = 16_000) -> Path:
    """Noise clips in FSD50K layout; clips: name -> (split, labels). Vocabulary: Bark, Dog."""
    truth = root / "FSD50K.ground_truth"
    for folder in ("FSD50K.dev_audio", "FSD50K.eval_audio", truth.name):
        (root / folder).mkdir(parents=True)
    (truth / "vocabulary.csv").write_text("0,Bark,/m/05tny_\n1,Dog,/m/0bt9lr\n")
    table = pd.DataFrame(
        [(name, labels, split) for name, (split, labels) in clips.items()],
        columns=["fname", "labels", "split"],
    )
    table[table["split"] != "eval"].to_csv(truth / "dev.csv", index=False)
    table[table["split"] == "eval"].drop(columns="split").to_csv(truth / "eval.csv", index=False)
    for number, (name, (split, _)) in enumerate(clips.items()):
        part = "eval" if split == "eval" else "dev"
        noise = np.random.default_rng(number).uniform(-0.5, 0.5, rate_hz + 100 * number)
        soundfile.write(root / f"FSD50K.{part}_audio" / f"{name}.wav", noise, rate_hz)
    return root


@pytest.fixture
def layout(tmp_path) -> Path:
    """Four clips: a and b to train, c to validate, d to evaluate."""
    splits = {"a": "train", "b": "train", "c": "val", "d": "eval"}
    clips = {
        name: (split, "Bark,Dog" if name in "acd" else "Dog") for name, split in splits.items()
    }
    return write_layout(tmp_path / "sounds", clips)
