"""When two sets of metrics rest on the same data."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from lean_audio.features.provenance import data_sha256
from lean_audio.files import write_json

YAMNET = {
    "source": "path",
    "handle": "yamnet",
    "trained": True,
    "savedmodel_sha256": None,
    "parameters": 3,
}


@pytest.fixture
def data(tmp_path) -> Path:
    """clips/, audio/ and yamnet/, as far as they are read."""
    for folder in ("clips", "audio", "yamnet"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    root = tmp_path / "data"
    (root / "clips" / "clips.csv").write_text("clip,split,labels\na,train,Dog\n")
    (root / "clips" / "vocabulary.csv").write_text("label\nDog\n")
    for split in ("train", "val", "eval"):
        pd.DataFrame({"start": [0, 16_000]}).to_parquet(root / "audio" / f"{split}.parquet")
    write_json(root / "yamnet" / "yamnet.json", YAMNET | {"weights_sha256": "1"})
    return root


def sha(root: Path, mean_normalization: bool = False) -> str:
    return data_sha256(root / "clips", root / "audio", root / "yamnet", mean_normalization)


def test_the_same_files_anywhere_are_the_same_data(data, tmp_path):
    shutil.copytree(data, tmp_path / "again")
    assert sha(data) == sha(tmp_path / "again")


def test_other_clips_labels_chunks_or_backbone_are_other_data(data):
    found = {sha(data), sha(data, mean_normalization=True)}
    (data / "clips" / "clips.csv").write_text("clip,split,labels\na,train,Cat\n")
    found.add(sha(data))
    (data / "clips" / "vocabulary.csv").write_text("label\nDog\nCat\n")
    found.add(sha(data))
    pd.DataFrame({"start": [0, 8_000]}).to_parquet(data / "audio" / "eval.parquet")
    found.add(sha(data))
    write_json(data / "yamnet" / "yamnet.json", YAMNET | {"weights_sha256": "2"})
    found.add(sha(data))
    assert len(found) == 6
