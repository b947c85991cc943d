"""Small measurements of a finished pipeline, for the tests of the report."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import soundfile

from lean_audio.report import render as report

LABELS = ("Bark", "Purr", "Rain", "Wind", "Hum|x")
APS: dict[str, dict[str, float]] = {
    "yamnet": dict(zip(LABELS, (0.3, 0.4, 0.5, 0.4, 0.5), strict=True)),
    "yamnet-projection": dict(zip(LABELS, (0.4, 0.5, 0.5, 0.5, 0.6), strict=True)),
    "joint-none": dict(zip(LABELS, (0.42, 0.55, 0.6, 0.45, 0.6), strict=True)),
    "joint-affinity": dict(zip(LABELS, (0.42, 0.55, 0.6, 0.45, 0.6), strict=True)),
    "joint-bahdanau": dict(zip(LABELS, (0.5, 0.55, 0.66, 0.45, 0.65), strict=True)),
}
ASIDE = "clip,split,file,reason"
BINS = "low,high,pairs,mean_score,positive_share"
RELIABILITY = [(0.0, 0.5, 30, 0.1, 0.2), (0.5, 0.6, 0, "", ""), (0.6, 1.0, 10, 0.8, 0.5)]
CALIBRATION_ERROR = (30 * 0.1 + 10 * 0.3) / 40
WITHOUT_POSITIVES = ("<b>", "", "", 0, 0)
TRAIN_CLIPS = {"Bark": 40, "Purr": 5, "Rain": 300, "Wind": 0, "Hum|x": 12}
METRICS = json.loads("""{
    "mAP": 0.51234, "mAUC": 0.9, "d_prime": 1.812, "d_prime_per_class": 1.9, "micro_AP": 0.5,
    "lwlrap": 0.6, "parameters": 3422344, "clips": 120, "best_epoch": 2,
    "classes_scored": 5, "classes_without_positives": 1
}""")
DATASET = json.loads("""{
    "origin": "Tones & noise.", "classes": 6,
    "clips": {"train": 240, "val": 60, "eval": 120, "set_aside": 1}
}""")
HASHES = {"savedmodel_sha256": None, "weights_sha256": "abab"}
YAMNET = {"source": "path", "handle": "my-yamnet", "parameters": 3217344} | HASHES
TRAINING = {"epochs": 3, "learning_rate": 0.0001, "batch_size": 64, "seed": 1}
DATA_SHA256, SETTINGS_SHA256 = "d" * 64, "5" * 64
TRAINING |= {"settings_sha256": SETTINGS_SHA256, "data_sha256": DATA_SHA256}
TRAINING |= {"backend": "tensorflow"}
MODELS = (*report.VARIANTS, "plus", "rectified", "close", "recipe", "longer")
SETTINGS = dict.fromkeys(MODELS, SETTINGS_SHA256)  # of this params file
WRITERS = {
    "provenance.json": "embed",
    "yamnet.training.json": "train",
    "yamnet.json": "evaluate",
    "joint-none.classes.csv": "evaluate",
    "joint-none.pr.csv": "evaluate",
    "joint-affinity.reliability.csv": "evaluate",
    "joint-none.history.csv": "train",
    "set_aside.csv": "prepare",
}


def write_csv(path: Path, columns: str, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns.split(","), *rows])


def write_variant(
    folder: Path, variant: str, metrics: Mapping[str, Any], like: str | None = None
) -> None:
    """like: the variant whose APs it has, if not its own."""
    (folder / f"{variant}.json").write_text(json.dumps(metrics))
    (folder / f"{variant}.training.json").write_text(json.dumps(TRAINING))
    scores = [(label, ap, 0.9, 3, TRAIN_CLIPS[label]) for label, ap in APS[like or variant].items()]
    scores.append(WITHOUT_POSITIVES)
    write_csv(folder / f"{variant}.classes.csv", "label,AP,AUC,positives,train_clips", scores)
    curve = [(label, recall, 1 - recall / 2) for label in LABELS for recall in (0.5, 1.0)]
    write_csv(folder / f"{variant}.pr.csv", "label,recall,precision", curve)
    write_csv(folder / f"{variant}.reliability.csv", BINS, RELIABILITY)
    epochs = [(1, 0.7, 0.7, 0.1), (2, 0.5, 0.6, 0.3), (3, 0.4, 0.6, 0.2)]
    write_csv(folder / f"{variant}.history.csv", "epoch,loss,val_loss,val_mAP", epochs)


def make_metrics(folder: Path, name: str, synthetic: bool, trained: bool) -> Path:
    folder.mkdir(parents=True)
    provenance = {
        "dataset": DATASET | {"name": name, "synthetic": synthetic},
        "yamnet": YAMNET | {"trained": trained},
        "data_sha256": DATA_SHA256,
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))
    for variant in report.VARIANTS:
        flags = {"synthetic": synthetic, "yamnet_trained": trained}
        write_variant(folder, variant, METRICS | flags)
    write_csv(folder / "set_aside.csv", ASIDE, [("17", "eval", "a/17.wav", "empty")])
    return folder


def change_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def make_examples(folder: Path) -> Path:
    """One clip of 1.6 s with sound and attention, and one of 0.4 s with neither."""
    folder.mkdir(parents=True)
    tone = 0.3 * np.sin(np.arange(25_600) * 0.2)
    soundfile.write(folder / "01.mp3", tone, 16_000, format="MP3")
    for name in ("01.png", "02.png"):
        matplotlib.image.imsave(folder / name, np.linspace(0, 1, 200).reshape(10, 20))
    chunks = [{"start_s": start, "end_s": start + 1.0} for start in (0.0, 0.5, 1.0)]
    bark = {"label": "Bark", "score": 0.75, "true": True, "chunk_scores": [0.5, 0.75, 1.0]}
    quiet = {"label": "<b>", "score": 0.25, "true": False, "chunk_scores": [0.0, 0.25, 0.5]}
    whole = {"clip": "17", "labels": ["Bark"], "duration_s": 1.6, "chunks": chunks}
    whole |= {"tags": [bark, quiet], "attention": [0.5] * 32 + [1.5] * 32}
    short = {
        "clip": "18",
        "labels": ["Hum|x", "Accelerating_and_revving_and_vroom"],
        "duration_s": 0.4,
        "chunks": chunks[:1],
    }
    short |= {"tags": [bark | {"true": False, "chunk_scores": [0.75]}], "attention": None}
    clips = [
        whole | {"spectrogram": "01.png", "spectrogram_max_hz": 8000, "audio": "01.mp3"},
        short | {"spectrogram": "02.png", "spectrogram_max_hz": 8000, "audio": None},
    ]
    record = {"variant": "joint-bahdanau", "attends": True, "frame_s": 0.025, "clips": clips}
    (folder / "examples.json").write_text(json.dumps(record))
    return folder


def make_run(folder: Path, name: str, synthetic: bool, trained: bool) -> Path:
    """The metrics of a run; its example clips lie beside them."""
    make_examples(folder.parent / f"{folder.name}-examples")
    return make_metrics(folder, name, synthetic, trained)


def render(metrics_dir: Path, out_dir: Path, attention: report.Attention = "bahdanau") -> Path:
    examples = metrics_dir.parent / f"{metrics_dir.name}-examples"
    report.render(metrics_dir, examples, out_dir, attention, SETTINGS)
    return out_dir


def pages(metrics_dir: Path, out_dir: Path) -> tuple[str, str]:
    """report.md and index.html."""
    render(metrics_dir, out_dir)
    return (out_dir / "report.md").read_text("utf-8"), (out_dir / "index.html").read_text("utf-8")
