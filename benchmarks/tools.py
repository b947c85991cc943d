"""Helpers of the benchmarks: timing, noise as a dataset, rows of the table."""

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
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.datasets.layout import SPLITS
from lean_audio.features.chunks import DATA_FILE, index_chunks, save_tables, shard_path
from lean_audio.files import write_json

ALL_CORES = {"TF_NUM_INTRAOP_THREADS": "0"}  # TensorFlow's own default, for the alternatives
LABELS = tuple(f"label{number}" for number in range(200))


def seconds(work: Callable[[], Any]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def report(what: str, measured: str, alternative: str, ratio: float, target: str) -> None:
    """Print one row of the table."""
    print(f"| {what} | {measured} | {alternative} | {ratio:.2f} | {target} |", flush=True)


def in_process(module: str, *arguments: str, environment: dict[str, str] | None = None) -> Any:
    """Run `python -m module arguments` and return the JSON in its last line of output.

    Raises RuntimeError with the last line of its stderr if it fails.
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
    """Run alternatives before and after the part that is measured.

    The speed of a shared machine changes by the minute; the mean of both sides follows the change.

    Parameters
    ----------
    module
        Called with the name of a part, it prints that part's rate.
    measured
        Part that is measured.
    alternatives
        Part -> environment. A name ends at its first space, so that one part can be run in several
        environments.

    Returns
    -------
    tuple
        Rate of the measured part, and mean rate of each alternative.
    """

    def measure() -> dict[str, float]:
        return {
            name: in_process(module, name.split()[0], environment=environment)
            for name, environment in alternatives.items()
        }

    before, ours, after = measure(), in_process(module, measured), measure()
    return ours, {name: (before[name] + after[name]) / 2 for name in alternatives}


def store_noise(folder: Path, clips: int, clip_s: float, hop_s: float) -> None:
    """Write noise as stage prepare writes a dataset: `clips` to train on, one per other split."""
    rng = np.random.default_rng(0)
    samples = round(clip_s * SAMPLE_RATE_HZ)
    for split in SPLITS:
        directory = folder / SPLIT_FOLDERS[split]
        directory.mkdir(parents=True)
        numbers = range(clips if split == "train" else 1)
        for number in numbers:
            noise = rng.integers(-3000, 3000, samples, dtype=np.int16)
            shard_path(directory, number).write_bytes(noise.astype("<i2").tobytes())
        table = pd.DataFrame(
            {
                "clip": [f"{split}{number:06d}" for number in numbers],
                "labels": [[LABELS[number % len(LABELS)]] for number in numbers],
                "shard": numbers,
                "offset": 0,
                "samples": samples,
            }
        )
        save_tables(directory, table, index_chunks(table, hop_s, "drop"), LABELS)
        write_json(directory / DATA_FILE, {"data_sha256": "noise"})
