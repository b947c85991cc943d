"""Peak memory of prepare, embed and train on some data and on ten times as much."""

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
from lean_audio.datasets.layout import Dataset, load_dataset, read_layout
from lean_audio.training.batches import open_examples

CLIPS, CLIP_S, TIMES = 300, 3.0, 10


def write_sounds(root: Path, clips: int) -> None:
    """Noise in FSD50K layout, four fifths of it to train on."""
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


def read_sounds(folder: Path) -> None:
    root = folder / "sounds"
    read_layout(root, name="noise", origin="noise", synthetic=True).save(folder / "clips")


def run_yamnet(folder: Path) -> None:
    from lean_audio.backbones.weights import obtain
    from lean_audio.device.export import write_embedder

    params = load_params()
    backbone = load_backbone(params.backbone, False)
    untrained = Yamnet(source="untrained", hub_url="", silence_s=1, deadline_s=1, seed=1)
    obtain(backbone, untrained, synthetic=True, folder=folder / "yamnet")
    write_embedder(backbone, folder / "yamnet", params.embed.layers)


def run_prepare(folder: Path) -> None:
    from lean_audio.features.prepare import prepare

    dataset: Dataset = load_dataset(folder / "clips")
    set_aside = folder / "set_aside.csv"
    prepare(dataset, folder / "sounds", folder / "audio", set_aside, load_params().prepare, 2)


def run_embed(folder: Path) -> None:
    from lean_audio.features.embed import embed

    embed(folder / "audio", folder / "yamnet", folder / "embeddings", load_params().embed, 2)


def run_train(folder: Path) -> None:
    from lean_audio.training.fit import train

    params = load_params()
    training, validation = (
        open_examples(folder / "audio", folder / "embeddings", split, ("Noise", "Hiss"))
        for split in ("train", "val")
    )
    settings = params.train.model_copy(update={"epochs": 2})
    variant = params.variant("joint-bahdanau")
    backbone = load_backbone(params.backbone, False)
    pretrained = folder / "yamnet"
    train(
        variant,
        training,
        validation,
        settings,
        backbone,
        pretrained,
        seed=1,
        score_batch_size=256,
    )


def peak_mb(step: str, folder: Path) -> float:
    """Peak resident memory of the largest process of a step, its workers included."""
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
            read_sounds(folder)
            peak_mb("yamnet", folder)
        for step in ("prepare", "embed", "train"):
            before, after = peak_mb(step, small), peak_mb(step, large)
            what = f"{step}, peak memory of the largest process, {TIMES} x the clips"
            report(
                what, f"{after:.0f} MB", f"{CLIPS} clips {before:.0f} MB", after / before, "< 1.15"
            )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {"yamnet": run_yamnet, "prepare": run_prepare, "embed": run_embed, "train": run_train}[
            sys.argv[1]
        ](Path(sys.argv[2]))
    else:
        main()
