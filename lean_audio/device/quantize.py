"""Make one waveform-input .tflite per scheme from a trained head, each with its metadata."""

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
from lean_audio.audio.log_mel import log_mel
from lean_audio.backbones.base import load_backbone
from lean_audio.config.schema import Prepare, Quantize
from lean_audio.device.recipes import MIXES, PATCH_SCHEMES, Mix, needs_calibration, quantize
from lean_audio.device.score import PARTS_FOLDER, Clips, score_files, some_clips
from lean_audio.device.sensitivity import probe
from lean_audio.errors import LeanError
from lean_audio.features.chunks import Chunks
from lean_audio.files import atomic_directory, atomic_file, sha256
from lean_audio.metrics.average_precision import mean_average_precision
from lean_audio.metrics.f1 import mean_f1
from lean_audio.metrics.rounding import known
from lean_audio.parallel.pool import open_pool
from lean_audio.tflite.file import LABELS_FILE, finish, read_flatbuffer
from lean_audio.tflite.golden import GOLDEN_FILE, compact_json, golden_text
from lean_audio.tflite.runtime import Runtime, open_tagger
from lean_audio.tflite.versions import set_versions

CARD_FILE = "lean.json"
CALIBRATION_CHUNKS = 100
FLOAT32_DIGITS = 9  # which no float32 loses anything with
SAME_PATCH = 0.01  # largest difference of two front ends that are the same
INTEGER_SCHEMES = ("dynamic_int8", "selective_int8", "full_int8")
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
    threshold_floor: float | None
    floored_labels: list[str]
    calibration: dict[str, list[float]]
    decisions: str
    float_model_sha256: str
    licence: str


@dataclass(frozen=True)
class QuantizedFiles:
    """What was made, and how good it is on validation.

    mixes: by scheme; failures: scheme -> why it has no file; validation: scheme -> mAP, its drop
    against the float32 file (both None if no clip has a label), and F1, the mean over labels with
    the file's own thresholds; sensitivity: of the groups.
    """

    mixes: dict[str, Mix]
    failures: dict[str, str]
    validation: dict[str, dict[str, float | None]]
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
            mixes, sensitivity = _mixes(pool, bare, validation, settings)
        failures = {}
        for scheme, mix in mixes.items():
            path = temporary / f"{scheme}.tflite"
            make = _patch_file if scheme in PATCH_SCHEMES else quantize_file
            given = source if scheme in PATCH_SCHEMES else bare
            if reason := run_guarded(partial(make, given, mix, validation, path)):
                failures[scheme] = reason
        made = [temporary / f"{scheme}.tflite" for scheme in mixes if scheme not in failures]
        with open_pool(workers, __name__) as pool:
            scores = score_files(pool, made, validation)
        fields = fields | {"float_model_sha256": sha256(bare)}
        bare.unlink()
        f1 = finish_files(made, scores, validation, settings.few_positives, fields)
        quality = _on_validation(made, scores, validation.targets(), f1)
    return QuantizedFiles(mixes, failures, quality, sensitivity)


def run_guarded(work: Callable[[], object]) -> str | None:
    """Run `work` in a process of its own; return why it failed, a crash included, or None."""
    with open_pool(1, __name__) as pool:
        try:
            pool.submit(work).result()
        except BrokenProcessPool:
            return "the converter crashed"
        except LeanError as error:
            return str(error)
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


def _patch_file(source: Source, mix: Mix, validation: Clips, path: Path) -> None:
    """Make the file that takes patches, for networks that do without the waveform."""
    import lean_audio.quiet_keras  # noqa: F401
    from lean_audio.device.export import export_patch_tagger
    from lean_audio.training.heads import read_head

    backbone = load_backbone(source.backbone, source.mean_normalization)
    head = read_head(source.head)
    chunks = validation.open()
    front_end = Runtime(path.parent / PARTS_FOLDER / "front_end.tflite", name="the front end")
    waveforms = [waveform[0] for waveform in _calibration(chunks)]
    if max(np.abs(front_end(wave) - log_mel(wave)).max() for wave in waveforms) > SAME_PATCH:
        raise LeanError("the front end is not the log-mel of docs/log_mel.c")
    content = export_patch_tagger(
        head.network, len(chunks.vocabulary), backbone, source.weights, head.weights
    )
    patches = [front_end(wave)[None] for wave in waveforms]
    with atomic_file(path) as temporary:
        temporary.write_bytes(quantize(content, mix, patches))


def finish_files(
    made: Sequence[Path],
    scores: Sequence[np.ndarray],
    validation: Clips,
    few: int,
    fields: dict[str, Any],
) -> list[float]:
    """Add metadata to each file, with thresholds and calibration of its own.

    scores: of the validation clips, by each file. Returns the F1 of each file, the mean over
    labels.
    """
    from lean_audio.metrics.calibration import (  # workers need no scikit-learn
        best_thresholds,
        platt,
    )

    targets, labels, found = validation.targets(), validation.open().vocabulary, []
    for path, of_file in zip(made, scores, strict=True):
        thresholds, (slopes, intercepts) = (
            best_thresholds(targets, of_file, few),
            platt(targets, of_file),
        )
        floored = [label for label, low in zip(labels, thresholds.floored, strict=True) if low]
        card = Card(
            **fields,
            sample_rate_hz=SAMPLE_RATE_HZ,
            chunk_samples=CHUNK_SAMPLES,
            thresholds=_rounded(thresholds.values, FLOAT32_DIGITS),
            threshold_floor=thresholds.floor,
            floored_labels=floored,
            calibration={"slope": _rounded(slopes, 6), "intercept": _rounded(intercepts, 6)},
            decisions=_decisions(len(targets), few, len(floored)),
        )
        add_metadata(path, labels, card, path.stem)
        found.append(mean_f1(targets, of_file, thresholds.values))
    return found


def _decisions(clips: int, few: int, floored: int) -> str:
    text = f"highest F1 and Platt's fit with L2 penalty on {clips} validation clips, own scores"
    with_floor = f"; {floored} thresholds of labels with fewer than {few} positives are the floor"
    return text + with_floor if floored else text


def _on_validation(
    made: Sequence[Path], scores: Sequence[np.ndarray], targets: np.ndarray, f1: Sequence[float]
) -> dict[str, dict[str, float | None]]:
    names = [path.stem for path in made]
    found = {
        name: mean_average_precision(targets, of_file)
        for name, of_file in zip(names, scores, strict=True)
    }
    drops = {name: found["float32"] - mean_ap for name, mean_ap in found.items()}
    return {
        name: {"mAP": known(found[name]), "mAP_drop": known(drops[name]), "F1": known(value)}
        for name, value in zip(names, f1, strict=True)
    }


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    return [float(f"{value:.{digits}g}") for value in values]


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
    calibration = _calibration(clips.open()) if needs_calibration(mix) else ()
    content = quantize(model.read_bytes(), mix, calibration)
    Runtime(content, name=path.stem)
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def add_metadata(path: Path, labels: Sequence[str], card: Card, scheme: str) -> None:
    """Add labels, card and golden scores to a .tflite."""
    runtime = set_versions(read_flatbuffer(path.read_bytes()))
    files = {
        LABELS_FILE: "".join(f"{label}\n" for label in labels),
        CARD_FILE: compact_json({"scheme": scheme, "least_runtime": runtime, **asdict(card)}),
        GOLDEN_FILE: golden_text(open_tagger(path), integer=scheme in INTEGER_SCHEMES),
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
