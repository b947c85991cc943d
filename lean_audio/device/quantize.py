"""Make one waveform-in .tflite a scheme out of a trained variant, each with its metadata."""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from lean_audio.audio.chunking import CHUNK_SAMPLES
from lean_audio.audio.decode import SAMPLE_RATE_HZ, to_float
from lean_audio.backbones.base import load_backbone
from lean_audio.config.schema import Prepare, Quantize, Variant
from lean_audio.device.recipes import MIXES, Mix, quantize
from lean_audio.device.score import PARTS_FOLDER, Clips, score_file, some_clips
from lean_audio.device.sensitivity import probe
from lean_audio.errors import LeanError
from lean_audio.files import whole, whole_folder
from lean_audio.parallel.pool import open_pool
from lean_audio.tflite.file import LABELS_FILE, finish
from lean_audio.tflite.runtime import Runtime

CARD_FILE = "lean.json"
CALIBRATION_CHUNKS = 100
PROBED = {"selective_int8": "dynamic", "int4": "int4"}  # scheme -> what some groups become


@dataclass(frozen=True)
class Source:
    """What the files are made from.

    backbone: the Python file that defines it, and embed.mean_normalization, as in params.yaml;
    pretrained: folder of its weights; head: file of the trained head's.
    """

    name: str
    variant: Variant
    backbone: tuple[Path, bool]
    pretrained: Path
    head: Path


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
class Made:
    """mixes: of each scheme; failures: why a scheme has no file; sensitivity: of the groups."""

    mixes: dict[str, Mix]
    failures: dict[str, str]
    sensitivity: pd.DataFrame


def describe(name: str, provenance: dict[str, Any], prepare: Prepare) -> dict[str, Any]:
    """The fields of Card that do not come from the model itself."""
    dataset, yamnet = provenance["dataset"], provenance["yamnet"]
    return {
        "variant": name,
        "dataset": dataset["name"],
        "synthetic": dataset["synthetic"],
        "yamnet_trained": yamnet["trained"],
        "hop_s": prepare.hop_s.eval,
        "tail": prepare.tail,
        "resampler": prepare.resampler,
        "licence": "Code and YAMNet: Apache-2.0. Trained on "
        f"{dataset['origin']}: the licences of these sounds hold for what is made from them.",
    }


def make_files(
    source: Source,
    validation: Clips,
    folder: Path,
    settings: Quantize,
    known: dict[str, Any],
    *,
    seed: int,
    workers: int,
) -> Made:
    """Write <scheme>.tflite for each scheme, and the parts that are timed beside, to `folder`.

    known: the fields of Card that `describe` gives.
    Raises LeanError when the float32 model cannot be made; another scheme's failure is returned.
    """
    with whole_folder(folder) as temporary, Apart() as apart:
        bare = temporary / "bare.tflite"
        if reason := apart(partial(_export, source, len(validation.vocabulary), bare, temporary)):
            raise LeanError(f"{source.name} could not be made a .tflite: {reason}")
        with open_pool(workers, __name__) as pool:
            card = _card(pool, bare, validation, known)
            mixes, sensitivity = _mixes(pool, bare, validation, settings, seed)
        failures = {}
        for scheme, mix in mixes.items():
            path = temporary / f"{scheme}.tflite"
            if reason := apart(partial(write_file, bare, mix, validation, card, scheme, path)):
                failures[scheme] = reason
                print(f"{scheme}: no file, {reason}")
        bare.unlink()
    return Made(mixes, failures, sensitivity)


class Apart:
    """Does one work after another in a process beside this one, in a fresh one after a crash."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown()

    def __call__(self, work: Callable[[], object]) -> str | None:
        """None, or why it failed, a crash of the process included."""
        self._pool = self._pool or open_pool(1, __name__)
        try:
            self._pool.submit(work).result()
        except BrokenProcessPool:
            self._pool = None
            return "the converter crashed"
        except Exception as error:  # of a converter that is not ours: reported, not fatal
            return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return None


def _export(source: Source, classes: int, model: Path, folder: Path) -> None:
    from lean_audio.device.export import export_features, export_front_end, export_tagger

    backbone, pretrained = load_backbone(*source.backbone), source.pretrained
    model.write_bytes(export_tagger(source.variant, classes, backbone, pretrained, source.head))
    parts = folder / PARTS_FOLDER
    parts.mkdir()
    (parts / "front_end.tflite").write_bytes(export_front_end(backbone))
    (parts / "backbone.tflite").write_bytes(export_features(backbone, pretrained))


def _card(pool: ProcessPoolExecutor, model: Path, validation: Clips, known: dict[str, Any]) -> Card:
    from lean_audio.metrics.calibration import (  # no worker needs scikit-learn
        best_thresholds,
        platt,
    )

    scores = score_file(pool, model, validation)
    targets = validation.targets()
    slopes, intercepts = platt(targets, scores)
    return Card(
        **known,
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
    pool: ProcessPoolExecutor, model: Path, validation: Clips, settings: Quantize, seed: int
) -> tuple[dict[str, Mix], pd.DataFrame]:
    clips = some_clips(validation, settings.probe_clips, seed)
    limits = {
        "selective_int8": settings.selective_max_change,
        "int4": settings.int4_max_change,
    }
    mixes, tables = {}, []
    for scheme in settings.schemes:
        if scheme in PROBED:
            mixes[scheme], table = probe(
                pool, model, PROBED[scheme], clips, max_change=limits[scheme]
            )
            tables.append(table)
        else:
            mixes[scheme] = MIXES[scheme]
    return mixes, pd.concat(tables) if tables else pd.DataFrame()


def write_file(model: Path, mix: Mix, clips: Clips, card: Card, scheme: str, path: Path) -> None:
    content = quantize(model.read_bytes(), mix, _samples(clips) if "static" in mix.values() else ())
    files = {
        LABELS_FILE: "".join(f"{label}\n" for label in clips.vocabulary),
        CARD_FILE: json.dumps({"scheme": scheme, **asdict(card)}),
    }
    description = f"Scores of {len(clips.vocabulary)} sounds in 1 s of audio ({scheme})"
    name = f"LEAN {card.variant}"
    finished = finish(
        content, files, name=name, description=description, sample_rate_hz=SAMPLE_RATE_HZ
    )
    Runtime(finished, name=scheme)  # what does not run is a failure of this scheme
    with whole(path) as temporary:
        temporary.write_bytes(finished)


def _samples(clips: Clips) -> list[np.ndarray]:
    chunks = clips.open()
    rows = np.linspace(0, len(chunks) - 1, min(CALIBRATION_CHUNKS, len(chunks)), dtype=int)
    return [waveform[None] for waveform in to_float(chunks.waveforms(rows))]
