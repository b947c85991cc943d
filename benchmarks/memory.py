"""Measure the peak memory of prepare, embed and train on some data and on ten times as much."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.tools import report
from lean_audio.backbones.base import load_backbone
from lean_audio.config.params import load_params
from lean_audio.config.schema import Yamnet
from lean_audio.datasets.layout import load_dataset, read_layout

CLIPS, CLIP_S, TIMES = 300, 3.0, 10


def write_sounds(root: Path, clips: int) -> None:
    """Write noise in FSD50K layout: 80 % of the clips to train on, 10 % per other split."""
    truth = root / "FSD50K.ground_truth"
    for folder in ("FSD50K.dev_audio", "FSD50K.eval_audio", truth.name):
        (root / folder).mkdir(parents=True)
    (truth / "vocabulary.csv").write_text("0,Noise,\n1,Hiss,\n")
    lines = {"dev": ["fname,labels,split"], "eval": ["fname,labels"]}
    rng = np.random.default_rng(0)
    for number in range(clips):
        part = "eval" if number % 10 == 0 else "dev"
        split = {"eval": "", "dev": ",val" if number % 10 == 1 else ",train"}[part]
        lines[part].append(f"{number},Noise{split}")
        noise = rng.uniform(-0.1, 0.1, round(CLIP_S * 44_100))
        soundfile.write(root / f"FSD50K.{part}_audio" / f"{number}.wav", noise, 44_100)
    for part, rows in lines.items():
        (truth / f"{part}.csv").write_text("\n".join(rows) + "\n")


def read_sounds(root: Path, clips: Path) -> None:
    """Read sounds in FSD50K layout and write their tables to `clips`."""
    read_layout(root, name="noise", origin="noise", synthetic=True).save(clips)


def run_embedder(folder: Path) -> None:
    """Write untrained weights and the embedder of the backbone in params.yaml."""
    from lean_audio.backbones.export import write_embedder
    from lean_audio.backbones.weights import prepare_weights

    params = load_params()
    backbone = load_backbone(params.backbone, mean_normalization=False)
    untrained = Yamnet(source="untrained", hub_url="")
    prepare_weights(backbone, untrained, synthetic=True, folder=folder / "weights")
    layers = params.embed.layers
    write_embedder(backbone, folder / "weights", folder / "embedder", layers, False)


def run_prepare(folder: Path) -> None:
    """Run stage prepare on two processes."""
    from lean_audio.features.prepare import prepare

    prepare(
        load_dataset(folder / "clips"),
        folder / "sounds",
        folder / "audio",
        folder / "set_aside.csv",
        folder / "class_counts.csv",
        load_params().prepare,
        workers=2,
    )


def run_embed(folder: Path) -> None:
    """Run stage embed on two processes."""
    from lean_audio.features.embed import embed

    embed(folder / "audio", folder / "embedder", folder / "embeddings", workers=2)


def run_train(folder: Path) -> None:
    """Train joint-bahdanau for two epochs."""
    from lean_audio.training.batches import open_examples
    from lean_audio.training.fit import train

    params = load_params()
    training, validation = (
        open_examples(folder / "audio", folder / "embeddings", split) for split in ("train", "val")
    )
    network = params.model("joint-bahdanau").network
    recipe = params.train.model_copy(update={"epochs": 2})
    backbone = load_backbone(params.backbone, mean_normalization=False)
    train(network, training, validation, recipe, backbone, folder / "weights", seed=1)


STEPS = {"embedder": run_embedder, "prepare": run_prepare, "embed": run_embed, "train": run_train}


def peak_mb(step: str, folder: Path) -> float:
    """Run a step and return the peak resident memory of its largest process, workers included."""
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.memory", step, str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise RuntimeError(f"{step} failed with status {status}")
    return usage.ru_maxrss / 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        small, large = Path(name) / "small", Path(name) / "large"
        for folder, clips in ((small, CLIPS), (large, CLIPS * TIMES)):
            write_sounds(folder / "sounds", clips)
            read_sounds(folder / "sounds", folder / "clips")
            peak_mb("embedder", folder)
        for step in ("prepare", "embed", "train"):
            before, after = peak_mb(step, small), peak_mb(step, large)
            what = f"{step}, peak memory of the largest process, {TIMES} x the clips"
            report(
                what, f"{after:.0f} MB", f"{CLIPS} clips {before:.0f} MB", after / before, "< 1.15"
            )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        STEPS[sys.argv[1]](Path(sys.argv[2]))
    else:
        main()
