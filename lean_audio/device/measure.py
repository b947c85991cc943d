"""Measure every .tflite as its users would run it: quality, size, latency and memory."""

import platform
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lean_audio.audio.decode import to_float
from lean_audio.config.schema import Device
from lean_audio.device.alarms import alarms_per_hour, quiet_sounds
from lean_audio.device.choose import Candidate, choose
from lean_audio.device.recipes import PATCH_SCHEMES
from lean_audio.device.score import PARTS_FOLDER, Clips, Tag, open_file, score_files
from lean_audio.errors import LeanError
from lean_audio.metrics.average_precision import mean_average_precision
from lean_audio.metrics.bootstrap import map_drop_interval
from lean_audio.metrics.f1 import mean_f1
from lean_audio.metrics.rounding import known
from lean_audio.parallel.pool import open_pool
from lean_audio.tflite.card import read_card

TURNS = 10  # blocks of runs per model, in turn with the other models
WARM_UP = 3  # runs at the start of a block that are not counted
TIMED_CHUNKS = 100  # per model and number of threads
MEMORY_RUNS = 20
LINUX = sys.platform == "linux"


def measure(
    folder: Path,
    evaluation: Clips,
    reference: np.ndarray,
    validation: Mapping[str, Mapping[str, float | None]],
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
    validation
        Scheme -> mAP_drop and F1 on the validation clips, on which the choice rests.
    settings
        Threads to time, and which file is shipped.
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
    with open_pool(workers, __name__) as pool:
        alarms = pool.map(partial(alarms_per_hour, sounds=quiet_sounds()), schemes)
        rates = dict(zip(quality, alarms, strict=True))
    found = {
        name: {
            **quality[name],
            "validation": dict(validation[name]),
            "false_alarms": rates[name],
            "latency": latency[name],
            "peak_memory_mb": memory[name],
        }
        for name in quality
    }
    shipped, reasons = choose(
        {name: _candidate(name, row, settings) for name, row in found.items()}, settings
    )
    return {
        "mAP_keras": known(mean_average_precision(targets, reference)),
        "clips": len(targets),
        "processor": platform.machine(),
        "shipped": shipped,
        "front_end": {"latency": latency["front_end"]},
        "baseline": {"latency": latency["backbone"]},
        "schemes": {name: {**found[name], "reason": reasons[name]} for name in found},
    }


def _candidate(name: str, measured: Mapping[str, Any], settings: Device) -> Candidate:
    return Candidate(
        drop=measured["validation"]["mAP_drop"],
        megabytes=measured["bytes"] / 1e6,
        ms=measured["latency"][str(settings.threads[0])]["median_ms"],
        takes_waveform=name not in PATCH_SCHEMES,
    )


def summarize_shipped(measured: dict[str, Any]) -> dict[str, Any]:
    """Return the content of metrics/<dataset>/shipped.json, for comparing runs."""
    file = measured["schemes"][measured["shipped"]]
    return {
        "scheme": measured["shipped"],
        **{key: file[key] for key in ("bytes", "mAP", "mAP_drop")},
        "mAP_drop_validation": file["validation"]["mAP_drop"],
        **{f"false_alarms_{kind}": rate for kind, rate in file["false_alarms"].items()},
    }


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
    _, card = read_card(model)
    thresholds = np.array(card["thresholds"], np.float32)
    mean_ap, before = (known(mean_average_precision(targets, s)) for s in (scores, reference))
    difference = np.abs(scores - reference)
    return {
        "bytes": model.stat().st_size,
        "mAP": mean_ap,
        "mAP_drop": None if mean_ap is None or before is None else before - mean_ap,
        "F1": known(mean_f1(targets, scores, thresholds)),
        "least_runtime": card["least_runtime"],
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
        runtimes = {model.stem: open_file(model, count) for model in models}
        taken: dict[str, list[float]] = {name: [] for name in runtimes}
        for _ in range(TURNS):
            for name, runtime in runtimes.items():
                taken[name] += _block_ms(runtime, waveforms, TIMED_CHUNKS // TURNS)
        for name, block_ms in taken.items():
            median, p95 = np.percentile(block_ms, [50, 95])
            measured[name][str(count)] = {"median_ms": float(median), "p95_ms": float(p95)}
    return measured


def _block_ms(runtime: Tag, waveforms: np.ndarray, runs: int) -> list[float]:
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
    runtime = open_file(model)
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
