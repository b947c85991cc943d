"""Measure every .tflite as its users would run it: quality, size, time and memory."""

import platform
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from lean_audio.audio.decode import to_float
from lean_audio.config.schema import Device
from lean_audio.device.score import Clips, score_file
from lean_audio.errors import LeanError
from lean_audio.metrics.average_precision import mean_average_precision
from lean_audio.metrics.bootstrap import map_drop_interval
from lean_audio.parallel.pool import open_pool
from lean_audio.tflite.runtime import Runtime

TURNS = 10  # each model runs in so many blocks, in turn with the others
WARM_UP = 3  # runs at the head of a block that are not counted
MEMORY_RUNS = 20
LINUX = sys.platform == "linux"


def measure(
    folder: Path,
    evaluation: Clips,
    exact: np.ndarray,
    settings: Device,
    *,
    parts: Path,
    seed: int,
    workers: int,
) -> dict[str, Any]:
    """The content of metrics/<dataset>/device.json.

    exact: (clips, classes) scores of float32 Keras; parts: folder of front_end.tflite and of
    backbone.tflite, front end and backbone, which are timed with the schemes' files.
    """
    schemes = sorted(folder.glob("*.tflite"))
    targets = evaluation.targets()
    with open_pool(workers, __name__) as pool:
        scores = {model.stem: score_file(pool, model, evaluation) for model in schemes}
    quality = {
        model.stem: _quality(model, targets, exact, scores[model.stem], settings, seed)
        for model in schemes
    }
    models = [*sorted(parts.glob("*.tflite")), *schemes]
    with open_pool(1, __name__) as pool:
        latency = pool.submit(time_models, models, _waveforms(evaluation), settings).result()
    with open_pool(workers, __name__, calls_per_process=1) as pool:
        memory = dict(zip(quality, pool.map(memory_mb, schemes), strict=True))
    return {
        "mAP_keras": _known(mean_average_precision(targets, exact)),
        "clips": len(targets),
        "processor": platform.machine(),
        "shipped": choose(quality, settings.max_drop),
        "front_end": {"latency": latency["front_end"]},
        "yardstick": {"latency": latency["backbone"]},
        "schemes": {
            name: {**quality[name], "latency": latency[name], "peak_memory_mb": memory[name]}
            for name in quality
        },
    }


def summary(measured: dict[str, Any]) -> dict[str, Any]:
    """The content of metrics/<dataset>/shipped.json: the shipped file, for comparing runs."""
    file = measured["schemes"][measured["shipped"]]
    return {
        "scheme": measured["shipped"],
        **{key: file[key] for key in ("bytes", "mAP", "mAP_drop")},
    }


def choose(quality: dict[str, dict[str, Any]], max_drop: float) -> str:
    """The smallest scheme that loses at most `max_drop` of mAP; float32 loses none."""
    drops = {name: scheme["mAP_drop"] for name, scheme in quality.items()}
    within = [name for name, drop in drops.items() if drop is not None and drop <= max_drop]
    return min(within or ["float32"], key=lambda name: (quality[name]["bytes"], name))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _quality(
    model: Path,
    targets: np.ndarray,
    exact: np.ndarray,
    scores: np.ndarray,
    settings: Device,
    seed: int,
) -> dict[str, Any]:
    if not np.isfinite(scores).all():
        raise LeanError(f"{model}: some scores are not finite")
    mean_ap, exact_ap = (_known(mean_average_precision(targets, s)) for s in (scores, exact))
    difference = np.abs(scores - exact)
    return {
        "bytes": model.stat().st_size,
        "mAP": mean_ap,
        "mAP_drop": None if mean_ap is None or exact_ap is None else exact_ap - mean_ap,
        "mAP_drop_ci95": map_drop_interval(targets, exact, scores, settings.resamples, seed),
        "score_difference_mean": float(difference.mean()),
        "score_difference_max": float(difference.max()),
    }


def _waveforms(clips: Clips, count: int = 50) -> np.ndarray:
    chunks = clips.open()
    return to_float(chunks.waveforms(np.linspace(0, len(chunks) - 1, count, dtype=int)))


def time_models(models: list[Path], waveforms: np.ndarray, settings: Device) -> dict[str, Any]:
    """name -> threads -> median and 95th percentile in ms of one chunk.

    The models take turns, so that a change of the machine's speed hits all of them.
    """
    measured: dict[str, Any] = {model.stem: {} for model in models}
    for threads in settings.threads:
        runtimes = {model.stem: Runtime(model, threads) for model in models}
        taken: dict[str, list[float]] = {name: [] for name in runtimes}
        for _ in range(TURNS):
            for name, runtime in runtimes.items():
                taken[name] += _block_ms(runtime, waveforms, settings.timed_chunks // TURNS)
        for name, block_ms in taken.items():
            median, p95 = np.percentile(block_ms, [50, 95])
            measured[name][str(threads)] = {"median_ms": float(median), "p95_ms": float(p95)}
    return measured


def _block_ms(runtime: Runtime, waveforms: np.ndarray, runs: int) -> list[float]:
    taken = []
    for run in range(WARM_UP + max(runs, 1)):
        start = time.perf_counter()
        runtime(waveforms[run % len(waveforms)])
        taken.append((time.perf_counter() - start) * 1e3)
    return taken[WARM_UP:]


def memory_mb(model: Path) -> float:
    """What loading and running the model adds, at its peak, to the memory of a process, in MB."""
    before = _memory_mb("VmRSS")
    with suppress(OSError):  # where there is no such file the peak so far is not forgotten
        Path("/proc/self/clear_refs").write_text("5")
    runtime = Runtime(model)
    for _ in range(MEMORY_RUNS):
        runtime(np.zeros(16_000, np.float32))
    return _memory_mb("VmHWM") - before


def _memory_mb(field: str) -> float:
    """VmRSS: resident now; VmHWM: at the peak. Other systems know the peak alone."""
    if not LINUX:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024
