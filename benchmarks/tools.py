"""What the benchmarks share: timing, noise to work on, rows of the table."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lean_audio.audio.decode import SAMPLE_RATE_HZ
from lean_audio.datasets.layout import SPLITS
from lean_audio.features.chunks import index_chunks, save_tables, shard_path

ALL_CORES = {"TF_NUM_INTRAOP_THREADS": "0"}  # TensorFlow's own default, for the alternatives
LABELS = tuple(f"label{number}" for number in range(200))


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(what: str, measured: str, alternative: str, ratio: float, wanted: str) -> None:
    print(f"| {what} | {measured} | {alternative} | {ratio:.2f} | {wanted} |", flush=True)


def in_process(module: str, *arguments: str, environment: dict[str, str] | None = None) -> Any:
    """The JSON that `python -m module arguments` prints last.

    Raises RuntimeError, with the last line it wrote, when it fails.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | (environment or {})
    )
    if done.returncode:
        raise RuntimeError((done.stderr.splitlines() or ["no output"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


def bracketed(
    module: str, measured: str, alternatives: dict[str, dict[str, str]]
) -> tuple[float, dict[str, float]]:
    """What `measured` prints, and the mean of what each alternative prints before and after it.

    A shared machine changes its speed by the minute; measured on both sides, the alternatives
    share the change. alternatives: name -> environment; a name ends at its first space.
    """

    def measure() -> dict[str, float]:
        return {
            name: in_process(module, name.split()[0], environment=environment)
            for name, environment in alternatives.items()
        }

    before, ours, after = measure(), in_process(module, measured), measure()
    return ours, {name: (before[name] + after[name]) / 2 for name in alternatives}


def store_noise(folder: Path, clips: int, clip_s: float, hop_s: float) -> None:
    """What `prepare` writes, for noise: `clips` to train, one to validate, one to evaluate."""
    folder.mkdir(parents=True)
    samples = round(clip_s * SAMPLE_RATE_HZ)
    rng = np.random.default_rng(0)
    counts = dict.fromkeys(SPLITS, 1) | {"train": clips}
    splits = [split for split in SPLITS for _ in range(counts[split])]
    for number in range(len(splits)):
        noise = rng.integers(-3000, 3000, samples, dtype=np.int16)
        shard_path(folder, number).write_bytes(noise.astype("<i2").tobytes())
    table = pd.DataFrame(
        {
            "clip": [f"{number:06d}" for number in range(len(splits))],
            "split": splits,
            "labels": [[LABELS[number % len(LABELS)]] for number in range(len(splits))],
            "shard": range(len(splits)),
            "offset": 0,
            "samples": samples,
        }
    )
    indices = {
        split: index_chunks(table[table["split"] == split], hop_s, "drop") for split in SPLITS
    }
    save_tables(folder, table, indices)
