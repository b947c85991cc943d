"""Print what `make paper` will take: download, disk, time. Fail if the disk is too small."""

import pandas as pd

from benchmarks.scale import CORPORA, RESULTS, seconds_for
from lean_audio.config.params import Params, load_params
from lean_audio.config.paths import Paths
from lean_audio.datasets.fsd50k import check_space, disk_needed
from lean_audio.errors import LeanError
from lean_audio.parallel.pool import count_workers
from stages import run_stage

LINE_MB_S = 10  # speed of the example connection
WAVE_VARIANTS = ("joint-none", "joint-affinity", "joint-bahdanau")  # these dominate the time


def plan(params: Params, missing_bytes: int, needed_bytes: int) -> list[str]:
    """Return the lines to print.

    missing_bytes: still to be downloaded; needed_bytes: disk for these and what is computed from
    them.
    """
    cores = count_workers(params.compute.workers)
    if not RESULTS.exists():
        raise LeanError(f"{RESULTS} is missing: `python -m benchmarks scale` writes it")
    measured = pd.read_csv(RESULTS)
    took_s = seconds_for(CORPORA[0], measured, cores)
    training_s = took_s["train"] * params.train.epochs * len(WAVE_VARIANTS)
    return [
        f"to download: {missing_bytes:,} bytes, {_long(missing_bytes / LINE_MB_S / 1e6)} at "
        f"{LINE_MB_S} MB/s",
        f"disk needed: {needed_bytes / 1e9:.1f} GB for the archives and what is computed from them",
        f"time: prepare {_long(took_s['prepare'])} and embed {_long(took_s['embed'])} on {cores} "
        f"cores, then {_long(training_s)} for {params.train.epochs} epochs of the "
        f"{len(WAVE_VARIANTS)} variants with a wave encoder on a processor; a GPU is faster",
        f"(times are projected from benchmarks/{RESULTS.name}, measured on "
        f"{measured['cores'].iloc[0]} cores)",
    ]


def _long(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def main() -> None:
    params = load_params()
    raw = Paths("fsd50k").raw
    missing_bytes, needed_bytes = disk_needed(params.datasets.fsd50k, raw)
    print(*plan(params, missing_bytes, needed_bytes), sep="\n", flush=True)
    check_space(raw, needed_bytes, "FSD50K and what is computed from it")


if __name__ == "__main__":
    run_stage(main)
