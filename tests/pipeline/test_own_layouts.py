"""Every layout of one's own sounds, from a directory through the stages to a .tflite that works.

The sounds are a low and a high tone in noise, and the backbone is the small one of
docs/backbones.md with random weights: enough to tell the tones apart. The stages run in this
process, one after the other.
"""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
from helpers import ROOT
from ruamel.yaml import YAML

from docs.small_backbone import WEIGHTS, build
from lean_audio import Tagger
from lean_audio.datasets.layout import load_dataset
from lean_audio.files import read_json
from stages import (
    download,
    embed,
    embedder,
    evaluate,
    evaluate_device,
    headline,
    prepare,
    quantize,
    train,
)
from stages import weights as weights_stage

RATE_HZ = 16_000
TONES_HZ = {"low": 300.0, "high": 3_000.0}
SPLITS = ("train",) * 6 + ("val",) * 2 + ("eval",) * 3
MODEL = "yamnet-projection"


def sound(label: str | None, length_s: float, seed: int) -> np.ndarray:
    """A tone in noise, or noise alone."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    tone = np.sin(2 * np.pi * TONES_HZ[label] * rng.uniform(0.9, 1.1) * times) if label else 0
    return 0.3 * tone + rng.normal(0, 0.02, len(times))


def write(path: Path, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE_HZ)


def write_table(path: Path, header: list[str], rows: list[list]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows] if header else rows)


def clips() -> list[tuple[str, str, str]]:
    """Name, label and split of the clips."""
    return [
        (f"{label}{number}", label, split)
        for label in TONES_HZ
        for number, split in enumerate(SPLITS)
    ]


def tree(root: Path) -> None:
    for seed, (name, label, split) in enumerate(clips()):
        write(root / split / label / f"{name}.wav", sound(label, 1.5, seed))


def table(root: Path) -> None:
    for seed, (name, label, _) in enumerate(clips()):
        write(root / "audio" / f"{name}.flac", sound(label, 1.5, seed))
    rows = [[name, label, split] for name, label, split in clips()]
    write_table(root / "meta" / "labels.csv", ["filename", "category", "split"], rows)


def fsd50k(root: Path) -> None:
    truth, dev, evaluation = root / "FSD50K.ground_truth", [], []
    for seed, (name, label, split) in enumerate(clips()):
        part = "eval" if split == "eval" else "dev"
        write(root / f"FSD50K.{part}_audio" / f"{name}.wav", sound(label, 1.5, seed))
        (evaluation if split == "eval" else dev).append([name, label, split])
    write_table(truth / "vocabulary.csv", [], [[n, name] for n, name in enumerate(TONES_HZ)])
    write_table(truth / "dev.csv", ["fname", "labels", "split"], dev)
    write_table(truth / "eval.csv", ["fname", "labels"], [row[:2] for row in evaluation])


def annotated(root: Path) -> None:
    """Six recordings of 12 s, with both tones in each."""
    for seed in range(6):
        parts = [(None, 2), ("low", 3), (None, 2), ("high", 3), (None, 2)]
        samples = [sound(label, length, 10 * seed + n) for n, (label, length) in enumerate(parts)]
        write(root / f"night{seed}.wav", np.concatenate(samples))
        (root / f"night{seed}.txt").write_text("2.0\t5.0\tlow\n7.0\t10.0\thigh\n")


def parts_of_files(root: Path) -> None:
    """One long file per split."""
    rows = []
    for number, split in enumerate(("train", "val", "eval")):
        names = [label for _, label, of in clips() if of == split]
        pieces = [sound(label, 2, 100 * number + n) for n, label in enumerate(names)]
        write(root / f"{split}.wav", np.concatenate(pieces))
        rows += [[f"{split}.wav", 2 * n, 2 * n + 2, label, split] for n, label in enumerate(names)]
    write_table(root / "parts.csv", ["file", "start_s", "end_s", "label", "split"], rows)


LAYOUTS: dict[Callable[[Path], None], tuple[int, str]] = {  # clips, and what is said of them
    tree: (22, "in 6 folders, one label per folder"),
    table: (22, "listed in meta/labels.csv"),
    fsd50k: (22, "in FSD50K layout"),
    annotated: (30, "cut from 6 recordings with 12 annotations"),
    parts_of_files: (22, "listed in parts.csv, in 3 files"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A directory with the settings of a quick run, and weights for the small backbone."""
    root = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "models.yaml", root)
    shutil.copytree(ROOT / "datasets", root / "datasets")
    content = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    content |= {"dataset": "sounds", "backbone": "docs/small_backbone.py"}
    content |= {"headline": MODEL, "variants": [MODEL]}
    content["yamnet"]["source"] = str(root / "small")
    content["embed"]["layers"] = []
    content["train"] |= {"epochs": 15, "learning_rate": 0.01, "batch_size": 16}
    content["evaluate"]["resamples"] = 50
    content["quantize"]["schemes"] = ["float32"]
    content["device"]["threads"] = [1]
    content["compute"]["workers"] = 1
    YAML().dump(content, root / "params.yaml")
    keras.utils.set_random_seed(5)
    (root / "small").mkdir()
    build().save_weights(root / "small" / WEIGHTS)
    return root


@pytest.mark.parametrize("lay_out", LAYOUTS, ids=lambda layout: layout.__name__)
def test_a_layout_becomes_a_tagger(project, tmp_path, monkeypatch, capsys, lay_out):
    monkeypatch.chdir(project)
    shutil.rmtree(project / "sounds", ignore_errors=True)
    lay_out(project / "sounds")
    said = download.main("sounds")
    count, layout = LAYOUTS[lay_out]
    bare = ", 18 without one" if lay_out is annotated else ""
    assert f"{count} clips {layout}; 2 labels{bare}; " in said
    assert "warning" not in capsys.readouterr().err
    assert prepare.main() == f"{count} clips; 0 set aside"
    if not Path("data/sounds/weights").exists():
        weights_stage.main()
        embedder.main()
    embed.main()
    train.main(MODEL, 1)
    evaluate.main(MODEL, 1)
    headline.main()
    quantize.main()
    evaluate_device.main()
    metrics = read_json(Path(f"metrics/sounds/trainings/{MODEL}-1/metrics.json"))
    assert metrics["mAP"] > 0.9
    single = all(
        len(labels) == 1 for labels in load_dataset(Path("data/sounds/clips")).clips.labels
    )
    assert ("accuracy" in metrics) == single == (lay_out is not annotated)
    tagger = Tagger("models/sounds/lean.tflite")
    scores = {}
    for number, label in enumerate(TONES_HZ):
        write(tmp_path / f"{label}.wav", sound(label, 3, 1000 + number))
        scores[label] = tagger.predict(tmp_path / f"{label}.wav")
    assert scores["low"]["low"] > scores["high"]["low"]  # the epoch that is kept ranks well: scores
    assert scores["high"]["high"] > scores["low"]["high"]  # of one label compare, not of two
