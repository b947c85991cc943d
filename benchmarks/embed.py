"""Time the embed stage, compared with YAMNet's forward pass alone and with the TF-Hub model."""

import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.memory import run_embedder
from benchmarks.tools import ALL_CORES, bracketed, report, seconds, store_noise
from lean_audio.audio.decode import SAMPLE_RATE_HZ
from lean_audio.backbones.yamnet import build_yamnet
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.features.cache import LAYOUT_FILE
from lean_audio.features.embed import embed
from lean_audio.files import read_json

CLIPS, CLIP_S, HOP_S = 10, 1200.0, 0.1  # about 120,000 chunks, a fifth of FSD50K's
PATCHES, LONG_S, CALLS = 4096, 1200, 600
SAVEDMODEL = Path(os.environ.get("LEAN_YAMNET", "../shared/yamnet"))


def bare() -> float:
    """Return patches per second of the forward pass in Keras, on ready patches and all cores."""
    patches = np.random.default_rng(0).normal(size=(PATCHES, 96, 64)).astype(np.float32)
    model = build_yamnet()
    model.predict(patches[:512], batch_size=128, verbose=0)
    return PATCHES / min(
        seconds(lambda: model.predict(patches, batch_size=128, verbose=0)) for _ in range(2)
    )


def hub_long() -> float:
    """Return embeddings per second of the TF-Hub model on one long waveform (hop 0.48 s)."""
    import tensorflow_hub as hub

    model = hub.load(str(SAVEDMODEL))
    waveform = np.random.default_rng(0).normal(0, 0.1, LONG_S * SAMPLE_RATE_HZ).astype("f4")
    model(waveform[: 60 * SAMPLE_RATE_HZ])
    count = 0

    def run() -> None:
        nonlocal count
        count = model(waveform)[1].shape[0]

    return min(seconds(run) for _ in range(2)) ** -1 * count


def hub_per_chunk() -> float:
    """Return chunks per second when the TF-Hub model is called once per chunk."""
    import tensorflow_hub as hub

    model = hub.load(str(SAVEDMODEL))
    chunk = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE_HZ).astype("f4")
    model(chunk)
    return CALLS / seconds(lambda: [model(chunk)[1].numpy() for _ in range(CALLS)])


def stage() -> float:
    """Return chunks per second of the stage, with start-up of workers, reading and writing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store_noise(folder / "audio", CLIPS - 2, CLIP_S, HOP_S)
        run_embedder(folder)
        out = folder / "out"
        took = seconds(lambda: embed(folder / "audio", folder / "embedder", out, workers=0))
        layout = read_json(out / SPLIT_FOLDERS["eval"] / LAYOUT_FILE)
        row_bytes = 4 * sum(layout["widths"].values())
        return sum(path.stat().st_size for path in out.rglob("*.f32")) / row_bytes / took


PARTS = {"bare": bare, "hub-long": hub_long, "hub-per-chunk": hub_per_chunk, "stage": stage}


def main() -> None:
    alternatives = {"bare": ("forward pass alone", ">= 0.75")}
    if (SAVEDMODEL / "saved_model.pb").is_file():
        alternatives["hub-long"] = ("TF-Hub model, one long waveform", ">= 0.85")
        alternatives["hub-per-chunk"] = ("TF-Hub model, once per chunk", ">= 8")
    else:
        print(f"| TF-Hub model: no SavedModel at {SAVEDMODEL}, set LEAN_YAMNET | | | | |")
    ours, theirs = bracketed("benchmarks.embed", "stage", dict.fromkeys(alternatives, ALL_CORES))
    for part, (alternative, target) in alternatives.items():
        beside = f"{alternative} {theirs[part]:.0f}/s"
        report("embed, whole stage", f"{ours:.0f} chunks/s", beside, ours / theirs[part], target)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(PARTS[sys.argv[1]]()))
    else:
        main()
