"""Make one waveform-input .tflite per scheme from a trained head, each with its metadata."""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lean_audio.audio.chunking import CHUNK_SAMPLES
from lean_audio.audio.decode import SAMPLE_RATE_HZ, to_float
from lean_audio.backbones.base import load_backbone
from lean_audio.config.schema import Prepare, Quantize
from lean_audio.device.recipes import MIXES, Mix, quantize
from lean_audio.device.score import PARTS_FOLDER, Clips, score_files, some_clips
from lean_audio.device.sensitivity import probe
from lean_audio.errors import LeanError
from lean_audio.features.chunks import Chunks
from lean_audio.files import atomic_directory, atomic_file
from lean_audio.parallel.pool import open_pool
from lean_audio.tflite.file import LABELS_FILE, finish
from lean_audio.tflite.runtime import Runtime

CARD_FILE = "lean.json"
CALIBRATION_CHUNKS = 100
PROBED = {"selective_int8": "dynamic", "int4": "int4"}  # scheme -> kind its chosen groups get


@dataclass(frozen=True)
class Source:
    """What the files are made from.

    model: its name; head: directory of the trained head; weights: directory of the backbone's
    weights; backbone, mean_normalization: as in params.yaml.
    """

    model: str
    head: Path
    weights: Path
    backbone: Path
    mean_normalization: bool


@dataclass(frozen=True)
class Card:
    """lean.json in every file: what a program must know to use the model as it was measured."""

    variant: str
    dataset: str
    synthetic: bool
    yamnet_trained: bool
    sample_rate_hz: int
    chunk_samples: int
    hop_s: float
    tail: str
    resampler: str
    thresholds: list[float]
    calibration: dict[str, list[float]]
    decisions: str
    float_model_sha256: str
    licence: str


@dataclass(frozen=True)
class QuantizedFiles:
    """mixes: by scheme; failures: scheme -> why it has no file; sensitivity: of the groups."""

    mixes: dict[str, Mix]
    failures: dict[str, str]
    sensitivity: pd.DataFrame


def card_fields(model: str, provenance: dict[str, Any], prepare: Prepare) -> dict[str, Any]:
    """Return the fields of Card that do not come from the model file itself."""
    dataset, yamnet = provenance["dataset"], provenance["yamnet"]
    return {
        "variant": model,
        "dataset": dataset["name"],
        "synthetic": dataset["synthetic"],
        "yamnet_trained": yamnet["trained"],
        "hop_s": prepare.hop_s.eval,
        "tail": prepare.tail,
        "resampler": prepare.resampler,
        "licence": "Code and YAMNet: Apache-2.0. Trained on "
        f"{dataset['origin']}: the licences of these sounds apply to the model.",
    }


def make_files(
    source: Source,
    validation: Clips,
    folder: Path,
    settings: Quantize,
    fields: dict[str, Any],
    *,
    workers: int,
) -> QuantizedFiles:
    """Write <scheme>.tflite for each scheme, and the parts that are timed with them, to `folder`.

    Parameters
    ----------
    source
        What the files are made from.
    validation
        Clips for thresholds, calibration and the sensitivity probe.
    folder
        Replaced as a whole.
    settings
        Schemes, and how far they may change the scores.
    fields
        Of the card, from `card_fields`.
    workers
        Processes; 0 is one per core.

    Raises
    ------
    LeanError
        If the float32 model cannot be made; another scheme's failure is returned.
    """
    with atomic_directory(folder) as temporary:
        bare = temporary / "bare.tflite"
        if reason := run_guarded(partial(_export, source, validation, bare)):
            raise LeanError(f"{source.model} could not be made a .tflite: {reason}")
        with open_pool(workers, __name__) as pool:
            card = _card(pool, bare, validation, fields)
            mixes, sensitivity = _mixes(pool, bare, validation, settings)
        failures = {}
        for scheme, mix in mixes.items():
            path = temporary / f"{scheme}.tflite"
            if reason := run_guarded(partial(quantize_file, bare, mix, validation, path)):
                failures[scheme] = reason
            else:
                add_metadata(path, validation.open().vocabulary, card, scheme)
        bare.unlink()
    return QuantizedFiles(mixes, failures, sensitivity)


def run_guarded(work: Callable[[], object]) -> str | None:
    """Run `work` in a process of its own; return why it failed, a crash included, or None."""
    with open_pool(1, __name__) as pool:
        try:
            pool.submit(work).result()
        except BrokenProcessPool:
            return "the converter crashed"
        except Exception as error:  # of a converter that is not ours: reported, not fatal
            return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return None


def _export(source: Source, validation: Clips, path: Path) -> None:
    import lean_audio.quiet_keras  # noqa: F401
    from lean_audio.backbones.export import export_features, export_front_end
    from lean_audio.device.export import export_tagger  # TensorFlow, for this process only
    from lean_audio.training.heads import read_head

    backbone = load_backbone(source.backbone, source.mean_normalization)
    head = read_head(source.head)
    classes = len(validation.open().vocabulary)
    path.write_bytes(export_tagger(head.network, classes, backbone, source.weights, head.weights))
    parts = path.parent / PARTS_FOLDER
    parts.mkdir()
    (parts / "front_end.tflite").write_bytes(export_front_end(backbone))
    (parts / "backbone.tflite").write_bytes(export_features(backbone, source.weights))


def _card(
    pool: ProcessPoolExecutor, model: Path, validation: Clips, fields: dict[str, Any]
) -> Card:
    from lean_audio.metrics.calibration import (  # workers need no scikit-learn
        best_thresholds,
        platt,
    )

    (scores,) = score_files(pool, [model], validation)
    targets = validation.targets()
    slopes, intercepts = platt(targets, scores)
    return Card(
        **fields,
        sample_rate_hz=SAMPLE_RATE_HZ,
        chunk_samples=CHUNK_SAMPLES,
        thresholds=_rounded(best_thresholds(targets, scores)),
        calibration={"slope": _rounded(slopes), "intercept": _rounded(intercepts)},
        decisions=f"highest F1 and Platt's fit on {len(scores)} validation clips, float32 scores",
        float_model_sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
    )


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _mixes(
    pool: ProcessPoolExecutor, model: Path, validation: Clips, settings: Quantize
) -> tuple[dict[str, Mix], pd.DataFrame]:
    limits = {"selective_int8": settings.selective_max_change, "int4": settings.int4_max_change}
    probed = {PROBED[scheme]: limits[scheme] for scheme in settings.schemes if scheme in PROBED}
    clips = some_clips(validation, settings.probe_clips)
    found, sensitivity = probe(pool, model, probed, clips)
    mixes = {
        scheme: found[PROBED[scheme]] if scheme in PROBED else MIXES[scheme]
        for scheme in settings.schemes
    }
    return mixes, sensitivity


def quantize_file(model: Path, mix: Mix, clips: Clips, path: Path) -> None:
    """Quantize the float32 model, check that the result runs, and write it.

    clips: calibrate a mix that is static. Raises whatever the converter raises, and LeanError if
    the file does not run.
    """
    calibration = _calibration(clips.open()) if "static" in mix.values() else ()
    content = quantize(model.read_bytes(), mix, calibration)
    Runtime(content, name=path.stem)
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def add_metadata(path: Path, labels: Sequence[str], card: Card, scheme: str) -> None:
    """Add labels and card to a .tflite."""
    files = {
        LABELS_FILE: "".join(f"{label}\n" for label in labels),
        CARD_FILE: json.dumps({"scheme": scheme, **asdict(card)}),
    }
    finished = finish(
        path.read_bytes(),
        files,
        name=f"LEAN {card.variant}",
        description=f"Scores of {len(labels)} sounds in 1 s of audio ({scheme})",
        sample_rate_hz=SAMPLE_RATE_HZ,
    )
    with atomic_file(path) as temporary:
        temporary.write_bytes(finished)


def _calibration(chunks: Chunks) -> list[np.ndarray]:
    """Return waveforms (1, 16000) spread over the split."""
    rows = np.linspace(0, len(chunks) - 1, min(CALIBRATION_CHUNKS, len(chunks)), dtype=int)
    return [waveform[None] for waveform in to_float(chunks.waveforms(rows))]
