"""Measure every .tflite as its users would run it: quality, size, latency and memory."""

import platform
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lean_audio.audio.decode import to_float
from lean_audio.config.schema import Device
from lean_audio.device.score import PARTS_FOLDER, Clips, score_files
from lean_audio.errors import LeanError
from lean_audio.metrics.average_precision import mean_average_precision
from lean_audio.metrics.bootstrap import map_drop_interval
from lean_audio.parallel.pool import open_pool
from lean_audio.tflite.runtime import Runtime

TURNS = 10  # blocks of runs per model, in turn with the other models
WARM_UP = 3  # runs at the start of a block that are not counted
TIMED_CHUNKS = 100  # per model and number of threads
MEMORY_RUNS = 20
LINUX = sys.platform == "linux"


def measure(
    folder: Path,
    evaluation: Clips,
    reference: np.ndarray,
    settings: Device,
    *,
    resamples: int,
    workers: int,
) -> dict[str, Any]:
    """Measure every file of a directory and choose the one to ship.

    Parameters
    ----------
    folder
        Of one <scheme>.tflite per scheme, and of the parts of the network that are timed too.
    evaluation
        Clips to score.
    reference
        (clips, classes) scores of the same model in float32 Keras.
    settings
        Threads to time, and the mAP drop a shipped file may have.
    resamples
        Bootstrap draws for the interval of the drop.
    workers
        Processes to score with; 0 is one per core.

    Returns
    -------
    dict
        The content of metrics/<dataset>/device.json.
    """
    schemes = sorted(folder.glob("*.tflite"))
    targets = evaluation.targets()
    with open_pool(workers, __name__) as pool:
        scores = score_files(pool, schemes, evaluation)
        compare = partial(_quality, targets=targets, reference=reference, resamples=resamples)
        names = [model.stem for model in schemes]
        quality = dict(zip(names, pool.map(compare, schemes, scores), strict=True))
    models = [*sorted((folder / PARTS_FOLDER).glob("*.tflite")), *schemes]
    with open_pool(1, __name__) as pool:
        latency = pool.submit(
            time_models, models, _waveforms(evaluation), settings.threads
        ).result()
    with open_pool(workers, __name__, calls_per_process=1) as pool:
        memory = dict(zip(quality, pool.map(memory_mb, schemes), strict=True))
    return {
        "mAP_keras": _known(mean_average_precision(targets, reference)),
        "clips": len(targets),
        "processor": platform.machine(),
        "shipped": choose(quality, settings.max_drop),
        "front_end": {"latency": latency["front_end"]},
        "baseline": {"latency": latency["backbone"]},
        "schemes": {
            name: {**quality[name], "latency": latency[name], "peak_memory_mb": memory[name]}
            for name in quality
        },
    }


def summarize_shipped(measured: dict[str, Any]) -> dict[str, Any]:
    """Return the content of metrics/<dataset>/shipped.json, for comparing runs."""
    file = measured["schemes"][measured["shipped"]]
    return {
        "scheme": measured["shipped"],
        **{key: file[key] for key in ("bytes", "mAP", "mAP_drop")},
    }


def choose(quality: dict[str, dict[str, Any]], max_drop: float) -> str:
    """Return the smallest scheme whose mAP drop is at most `max_drop`; float32 if there is none."""
    drops = {name: scheme["mAP_drop"] for name, scheme in quality.items()}
    within = [name for name, drop in drops.items() if drop is not None and drop <= max_drop]
    return min(within or ["float32"], key=lambda name: (quality[name]["bytes"], name))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _quality(
    model: Path,
    scores: np.ndarray,
    *,
    targets: np.ndarray,
    reference: np.ndarray,
    resamples: int,
) -> dict[str, Any]:
    if not np.isfinite(scores).all():
        raise LeanError(f"{model}: some scores are not finite")
    mean_ap, before = (_known(mean_average_precision(targets, s)) for s in (scores, reference))
    difference = np.abs(scores - reference)
    return {
        "bytes": model.stat().st_size,
        "mAP": mean_ap,
        "mAP_drop": None if mean_ap is None or before is None else before - mean_ap,
        "mAP_drop_ci95": map_drop_interval(targets, reference, scores, resamples),
        "score_difference_mean": float(difference.mean()),
        "score_difference_max": float(difference.max()),
    }


def _waveforms(clips: Clips, count: int = 50) -> np.ndarray:
    chunks = clips.open()
    return to_float(chunks.waveforms(np.linspace(0, len(chunks) - 1, count, dtype=int)))


def time_models(
    models: list[Path], waveforms: np.ndarray, threads: Sequence[int]
) -> dict[str, Any]:
    """Time one chunk: model name -> threads -> median and 95th percentile in ms.

    The models take turns, so a change of the machine's speed affects all of them.
    """
    measured: dict[str, Any] = {model.stem: {} for model in models}
    for count in threads:
        runtimes = {model.stem: Runtime(model, count) for model in models}
        taken: dict[str, list[float]] = {name: [] for name in runtimes}
        for _ in range(TURNS):
            for name, runtime in runtimes.items():
                taken[name] += _block_ms(runtime, waveforms, TIMED_CHUNKS // TURNS)
        for name, block_ms in taken.items():
            median, p95 = np.percentile(block_ms, [50, 95])
            measured[name][str(count)] = {"median_ms": float(median), "p95_ms": float(p95)}
    return measured


def _block_ms(runtime: Runtime, waveforms: np.ndarray, runs: int) -> list[float]:
    taken = []
    for run in range(WARM_UP + max(runs, 1)):
        start = time.perf_counter()
        runtime(waveforms[run % len(waveforms)])
        taken.append((time.perf_counter() - start) * 1e3)
    return taken[WARM_UP:]


def memory_mb(model: Path) -> float:
    """Return the peak memory that loading and running the model adds to a process, in MB."""
    before = _memory_mb("VmRSS")
    with suppress(OSError):  # without this file the earlier peak is not forgotten
        Path("/proc/self/clear_refs").write_text("5")
    runtime = Runtime(model)
    for _ in range(MEMORY_RUNS):
        runtime(np.zeros(16_000, np.float32))
    return _memory_mb("VmHWM") - before


def _memory_mb(field: str) -> float:
    """Read VmRSS (resident now) or VmHWM (at the peak); other systems know only the peak."""
    if not LINUX:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024
