"""Waveforms that anyone can generate, and what a file scored for them where it was made.

A runtime that computes something else is found out by comparing. The waveforms follow from integer
arithmetic alone, so no sound has to be distributed. The scores are in golden.json inside the file.
"""

import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lean_audio.audio.chunking import CHUNK_SAMPLES
from lean_audio.errors import LeanError

GOLDEN_FILE = "golden.json"
UNIT = 0.0001  # of the scores, which are whole numbers of it to save bytes
# largest difference of a score that rounding on another processor explains
TOLERANCES = {"float": 0.001, "integer": 0.05}


def golden_waveforms() -> dict[str, np.ndarray]:
    """Return the waveforms by name, (16000,) int16 each, to be divided by 32768.

    noise: state = (1664525 * state + 1013904223) mod 2**32, from state 1; sample = the next state
    >> 18, minus 8192. claps: noise >> (k // 300), where k is the sample's number mod 4000; a shift
    of 13 or more gives 0 or -1. sweep: phase = (phase + 200 + n // 8) mod 65536 for sample n,
    from phase 0; sample = phase // 4 - 8192.
    """
    number = np.arange(CHUNK_SAMPLES)
    noise = np.array(_noise(CHUNK_SAMPLES))
    phase = np.cumsum(200 + number // 8) % 65536
    waves = {"noise": noise, "claps": noise >> (number % 4000 // 300), "sweep": phase // 4 - 8192}
    return {name: wave.astype(np.int16) for name, wave in waves.items()}


def _noise(count: int) -> list[int]:
    state, samples = 1, []
    for _ in range(count):
        state = (1664525 * state + 1013904223) % 2**32
        samples.append((state >> 18) - 8192)
    return samples


def golden_text(tag: Callable[[np.ndarray], np.ndarray], integer: bool) -> str:
    """Return the content of golden.json.

    tag: from a waveform (16000,) float32 to the file's scores; integer: whether it computes in
    integers, whose rounding depends more on the processor.
    """
    scores = {
        name: np.rint(tag((wave / 32768).astype(np.float32)) / UNIT).astype(int).tolist()
        for name, wave in golden_waveforms().items()
    }
    tolerance = TOLERANCES["integer" if integer else "float"]
    return compact_json({"tolerance": tolerance, "unit": UNIT, **scores})


def compact_json(content: dict[str, Any]) -> str:
    """Write JSON without spaces: archives in a .tflite are not compressed."""
    return json.dumps(content, separators=(",", ":"))


def compare_golden(
    path: Path, tag: Callable[[np.ndarray], np.ndarray]
) -> tuple[dict[str, float], float]:
    """Score the golden waveforms here and compare with what is inside the file.

    Returns
    -------
    tuple
        Largest difference of a score for each waveform, and how large it may be.

    Raises
    ------
    LeanError
        If the file has no golden scores, or they do not fit it.
    """
    golden = _read_golden(path)
    differences = {}
    for name, wave in golden_waveforms().items():
        scores = tag((wave / 32768).astype(np.float32))
        if len(scores) != len(golden[name]):
            raise LeanError(
                f"{path}: {GOLDEN_FILE} has {len(golden[name])} scores for {name}, "
                f"the model {len(scores)}"
            )
        expected = golden["unit"] * np.array(golden[name])
        differences[name] = float(np.abs(scores - expected).max())
    return differences, golden["tolerance"]


def _read_golden(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            golden = json.loads(archive.read(GOLDEN_FILE))
        numbers = [[golden[key]] for key in ("tolerance", "unit")]
        for values in (*numbers, *(golden[name] for name in golden_waveforms())):
            if not np.isfinite(np.array(values, float)).all():
                raise ValueError
            len(values)  # a list
    except (
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        EOFError,
        KeyError,
        ValueError,
        TypeError,
    ):
        raise LeanError(
            f"{path} has no golden scores ({GOLDEN_FILE} inside); make it anew with `dvc repro`"
        ) from None
    return golden
