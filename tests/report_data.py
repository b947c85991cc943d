"""Small measurements of a finished pipeline, for the tests of the report."""

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import soundfile
from helpers import ROOT

from lean_audio.metrics.evaluate import DIGITS
from lean_audio.report import render as report
from lean_audio.report.inputs import VARIANTS
from lean_audio.report.models import ModelInfo, Models

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
WITHOUT_POSITIVES = ("<b>", "", "", 0)
TRAIN_CLIPS = {"Bark": 40, "Purr": 5, "Rain": 300, "Wind": 0, "Hum|x": 12}
EPOCHS = [(1, 0.7, 0.7, 0.1), (2, 0.5, 0.6, 0.3), (3, 0.4, 0.6, 0.2)]
METRICS = json.loads("""{
    "mAP": 0.51234, "mAUC": 0.9, "d_prime": 1.812, "d_prime_per_class": 1.9, "micro_AP": 0.5,
    "lwlrap": 0.6, "clips": 120, "classes_scored": 5, "classes_without_positives": 1
}""")
DATASET = json.loads("""{
    "origin": "Tones & noise.", "classes": 6,
    "clips": {"train": 240, "val": 60, "eval": 120, "set_aside": 1}
}""")
HASHES = {"savedmodel_sha256": None, "weights_sha256": "abab"}
YAMNET = {"source": "path", "handle": "my-yamnet", "parameters": 3217344} | HASHES
DATA_SHA256 = {"train": "a" * 64, "val": "b" * 64, "eval": "d" * 64}
SETTINGS_SHA256 = "5" * 64
TRAINING = json.loads("""{
    "epochs": 3, "batch_size": 64, "learning_rate": 0.0001, "schedule": "constant",
    "best_epoch": 2, "val_mAP": 0.3, "parameters": 3422344, "replicas": 1, "backend": "tensorflow"
}""")
MODELS: Models = {  # of this params file
    **{name: ModelInfo(SETTINGS_SHA256) for name in VARIANTS},
    "rectified": ModelInfo(SETTINGS_SHA256, after="joint-bahdanau", change="a ReLU"),
    "plus": ModelInfo(SETTINGS_SHA256, after="rectified", change="four layers"),
    "close": ModelInfo(SETTINGS_SHA256, after="joint-bahdanau", change="nothing much"),
    "recipe": ModelInfo(SETTINGS_SHA256, after="joint-bahdanau", change="a higher rate"),
    "longer": ModelInfo(SETTINGS_SHA256, after="recipe", change="more epochs"),
}
DRAWS = 200
DOUBTED_FILE = 'bird #1/Käuz & "Uhu" 50%<b>.wav'
DOUBTS = "kind,rank,clip,split,file,labels,label,score,better,better_score,sound"
TONE = 0.3 * np.sin(np.arange(25_600) * 0.2)
DEVICE_FILES = ("device.json", "quantize.json", "sensitivity.csv")


def write_csv(path: Path, columns: str, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns.split(","), *rows])


def write_resampled(record: Path, mean: float, draws: int = DRAWS) -> None:
    """Write the mAP of each draw of clips, with the same ups and downs for every model."""
    moves = 0.05 * np.sin(np.arange(draws))
    write_csv(record / "tables" / "resampled.csv", "mAP", [(value,) for value in mean + moves])


def write_training(
    metrics_dir: Path,
    model: str,
    seed: int = 1,
    *,
    like: str = "",
    training: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> Path:
    """Write everything that one training and its evaluation leave in metrics/; return its record.

    like: the variant whose APs the model has, if not its own; training, metrics: what differs from
    TRAINING and METRICS.
    """
    record = metrics_dir / "trainings" / f"{model}-{seed}"
    (record / "tables").mkdir(parents=True)
    data_sha256 = {split: DATA_SHA256[split] for split in ("train", "val")}
    facts = {"model": model, "seed": seed, "settings_sha256": SETTINGS_SHA256}
    facts |= {"data_sha256": data_sha256, **TRAINING, **(training or {})}
    (record / "training.json").write_text(json.dumps(facts))
    write_csv(record / "history.csv", "epoch,loss,val_loss,val_mAP", EPOCHS)
    measured = {**METRICS, "data": DATA_SHA256["eval"][:DIGITS], **(metrics or {})}
    (record / "metrics.json").write_text(json.dumps(measured))
    tables = record / "tables"
    scores = [(label, ap, 0.9, 3) for label, ap in APS[like or model].items()]
    write_csv(tables / "classes.csv", "label,AP,AUC,positives", [*scores, WITHOUT_POSITIVES])
    curve = [(label, recall, 1 - recall / 2) for label in LABELS for recall in (0.5, 1.0)]
    write_csv(tables / "pr.csv", "label,recall,precision", curve)
    write_csv(tables / "reliability.csv", BINS, RELIABILITY)
    write_resampled(record, measured["mAP"] or 0)
    return record


def write_cost(
    metrics_dir: Path,
    model: str,
    size: int,
    ms: float,
    backbone_ms: float,
    network_sha256: str = "",
) -> None:
    """Write what a model costs on a device: bytes, and ms for one chunk with one thread."""
    latency, backbone = ({"1": {"median_ms": value}} for value in (ms, backbone_ms))
    cost = {"bytes": size, "latency": latency, "backbone_latency": backbone}
    identity = {"network_sha256": network_sha256, "weights_sha256": HASHES["weights_sha256"]}
    cost |= identity | {"classes": DATASET["classes"]}
    (metrics_dir / "costs").mkdir(exist_ok=True)
    (metrics_dir / "costs" / f"{model}.json").write_text(json.dumps(cost))


def make_metrics(folder: Path, name: str, synthetic: bool, trained: bool) -> Path:
    """Write the metrics of one run: the paper's five variants with one seed."""
    folder.mkdir(parents=True)
    provenance = {
        "dataset": DATASET | {"name": name, "synthetic": synthetic},
        "yamnet": YAMNET | {"trained": trained},
        "data_sha256": DATA_SHA256,
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))
    for variant in VARIANTS:
        write_training(folder, variant)
    counts = [(label, clips, 0, 3) for label, clips in TRAIN_CLIPS.items()]
    write_csv(folder / "class_counts.csv", "label,train,val,eval", [*counts, ("<b>", 0, 0, 0)])
    write_csv(folder / "set_aside.csv", ASIDE, [("17", "eval", "a/17.wav", "empty")])
    return folder


def add_device(metrics_dir: Path) -> None:
    """Put the measurements of a real run on a device beside the others."""
    for name in DEVICE_FILES:
        shutil.copy(ROOT / "metrics/real-sounds" / name, metrics_dir)


def add_review(metrics: Path) -> None:
    """Write what the stages check and review measure, and one of the two sounds."""
    check = {"name": "silent", "finding": "silent", "noun": "clip", "count": 12}
    passed = check | {"name": "clipped", "finding": "clipped", "count": 0, "first": []}
    checks = [check | {"first": ["a|b (train)", "<i> (val)", "c (val)"]}, passed]
    content = {"clips": 420, "warnings": 1, "checks": checks}
    (metrics / "data_checks.json").write_text(json.dumps(content))
    folder, sounds = metrics / "review", metrics.parent / f"{metrics.name}-sounds"
    folder.mkdir()
    sounds.mkdir()
    about = {"variant": "plus", "seed": 1, "folds": 5, "clips": 420, "mAP": 0.6}
    (folder / "review.json").write_text(json.dumps(about | {"unlikely": 31, "missing": 1}))
    classes = [("Bark", 3, 0.5, 0.25, 0.75), ("Purr", 4, 0.125, 0, 0.5), ("<b>", 0, "", "", "")]
    write_csv(folder / "classes.csv", "label,positives,AP,low,high", classes)
    confused = [("Hum|x", "Wind", 8, 6, 0.75)]
    write_csv(folder / "confusions.csv", "label,taken_for,clips,confused,fraction", confused)
    unlikely = (
        "unlikely label",
        1,
        "17",
        "val",
        DOUBTED_FILE,
        "Hum|x,Bark",
        "Hum|x",
        -0.2,
        "Wind",
        0.9,
    )
    far = (*unlikely[:1], 11, "far", *unlikely[3:4], "far.wav", *unlikely[5:])
    missing = ("missing label", 1, "18", "eval", "18.wav", "", "Rain", 1.25, "Rain", 1.25)
    rows = [(*unlikely, "unlikely-01.mp3"), (*far, ""), (*missing, "missing-01.mp3")]
    write_csv(folder / "doubts.csv", DOUBTS, rows)
    soundfile.write(sounds / "unlikely-01.mp3", TONE, 16_000, format="MP3")


def change_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def make_examples(folder: Path) -> Path:
    """Write one clip of 1.6 s with sound and attention, and one of 0.4 s with neither."""
    folder.mkdir(parents=True)
    soundfile.write(folder / "01.mp3", TONE, 16_000, format="MP3")
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
    """Write the metrics of a run, and its example clips beside them."""
    make_examples(folder.parent / f"{folder.name}-examples")
    return make_metrics(folder, name, synthetic, trained)


def render(
    metrics_dir: Path,
    out_dir: Path,
    headline: str = "joint-bahdanau",
    models: Models = MODELS,
    draws: int | None = None,
) -> Path:
    examples = metrics_dir.parent / f"{metrics_dir.name}-examples"
    sounds = metrics_dir.parent / f"{metrics_dir.name}-sounds"
    report.render(metrics_dir, examples, sounds, out_dir, headline, models, seed=1, draws=draws)
    return out_dir


def pages(metrics_dir: Path, out_dir: Path, models: Models = MODELS) -> tuple[str, str]:
    """Render; return report.md and index.html."""
    render(metrics_dir, out_dir, models=models)
    return (out_dir / "report.md").read_text("utf-8"), (out_dir / "index.html").read_text("utf-8")
