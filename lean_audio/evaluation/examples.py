"""A few evaluation clips to look at and listen to, as scored by one model.

The clips are drawn at random and never chosen by how well the model does on them, because readers
take them for typical.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import soundfile

from lean_audio.audio.chunking import CHUNK_SAMPLES
from lean_audio.audio.decode import SAMPLE_RATE_HZ
from lean_audio.audio.spectrogram import MAX_HZ, save_spectrogram
from lean_audio.backbones.base import Backbone
from lean_audio.config.schema import ExampleClips
from lean_audio.files import atomic_directory, write_text
from lean_audio.model import ATTENTION_LAYER, FRAME_SAMPLES, STEPS
from lean_audio.training.batches import Examples
from lean_audio.training.heads import Head

DECIMALS = 5
SEED = 1  # of the clips that are drawn


def open_model(head: Head, classes: int, backbone: Backbone) -> keras.Model:
    """Open a head that outputs scores (batch, classes) and, if any, attention (batch, 40)."""
    model = head.open(classes, backbone)
    outputs = {"scores": model.output}
    if head.network.attends:
        _, outputs["attention"] = model.get_layer(ATTENTION_LAYER).output
    return keras.Model(model.input, outputs)


def write_examples(
    folder: Path,
    data: Examples,
    head: Head,
    backbone: Backbone,
    settings: ExampleClips,
    dataset: str,
) -> None:
    """Write examples.json and, per clip, a PNG and, if settings.audio names `dataset`, an MP3."""
    model = open_model(head, len(data.chunks.vocabulary), backbone)
    with atomic_directory(folder) as temporary:
        clips = []
        for number, clip in enumerate(draw_clips(data.chunks.clips, settings), 1):
            clips.append(
                {
                    **describe_clip(data, clip, model, settings.labels),
                    **_save_media(
                        temporary / f"{number:02d}",
                        data.chunks.clip_samples(clip),
                        dataset in settings.audio,
                    ),
                }
            )
        content = {
            "variant": head.model,
            "attends": head.network.attends,
            "frame_s": FRAME_SAMPLES / SAMPLE_RATE_HZ,
            "clips": clips,
        }
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
        write_text(temporary / "examples.json", text + "\n")


def draw_clips(clips: pd.DataFrame, settings: ExampleClips) -> list[int]:
    """Draw rows of labelled clips of at most settings.max_s or, if there is none, of any length.

    A first label is drawn again only after every other one has had its turn.
    """
    labelled = clips[clips["labels"].map(len) > 0]
    short = labelled[labelled["samples"] <= settings.max_s * SAMPLE_RATE_HZ]
    eligible = labelled if short.empty else short
    drawn = eligible.iloc[np.random.default_rng(SEED).permutation(len(eligible))]
    turn = drawn.groupby(drawn["labels"].map(lambda labels: labels[0])).cumcount()
    return turn.sort_values(kind="stable").index[: settings.clips].tolist()


def describe_clip(data: Examples, clip: int, model: keras.Model, labels: int) -> dict[str, Any]:
    """Return what examples.json says of one row of the clip table, without picture and sound."""
    chunks, about = data.chunks, data.chunks.clips.loc[clip]
    rows = np.flatnonzero(chunks.clip_of_chunk == clip)
    starts = chunks.index["offset"].to_numpy()[rows] - about["offset"]
    lengths = chunks.index["samples"].to_numpy()[rows]
    outputs = model.predict_on_batch(data.inputs(rows, model.input))
    attention = None
    if "attention" in outputs:
        attention = _rounded(
            fold_attention(outputs["attention"], starts, lengths, about["samples"])
        )
    return {
        "clip": about["clip"],
        "labels": list(about["labels"]),
        "duration_s": _seconds(about["samples"]),
        "chunks": [
            {"start_s": _seconds(start), "end_s": _seconds(start + length)}
            for start, length in zip(starts, lengths, strict=True)
        ],
        "tags": tags(outputs["scores"], set(about["labels"]), chunks.vocabulary, labels),
        "attention": attention,
    }


def tags(
    scores: np.ndarray, true: set[str], labels: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    """Return the `limit` best labels and every true one, by falling clip score.

    scores: (chunks, classes); a clip's score is the mean of its chunks'.
    """
    clip_scores = scores.mean(axis=0, dtype=np.float64)
    order = np.argsort(-clip_scores, kind="stable")
    return [
        {
            "label": labels[index],
            "score": round(float(clip_scores[index]), DECIMALS),
            "true": labels[index] in true,
            "chunk_scores": _rounded(scores[:, index]),
        }
        for rank, index in enumerate(order)
        if rank < limit or labels[index] in true
    ]


def fold_attention(
    weights: np.ndarray, starts: Sequence[int], lengths: Sequence[int], samples: int
) -> np.ndarray:
    """Average the attention of a clip's chunks per 25-ms frame of the clip; 1 is uniform.

    Computed per sample, because with some hops and lengths a chunk's frames straddle the clip's.

    Parameters
    ----------
    weights
        (chunks, 40), each row summing to 1.
    starts, lengths
        (chunks,) in samples of the clip.
    samples
        Length of the clip.

    Returns
    -------
    numpy.ndarray
        (frames,): the mean where chunks overlap, 0 where no chunk lies (tails may be dropped).
    """
    sums, covering = np.zeros(samples), np.zeros(samples, int)
    for row, start, length in zip(weights, starts, lengths, strict=True):
        sums[start : start + length] += _unrepeated(row, length)
        covering[start : start + length] += 1
    frames = np.arange(0, samples, FRAME_SAMPLES)
    covered = np.add.reduceat((covering > 0).astype(int), frames)
    return np.add.reduceat(sums / np.maximum(covering, 1), frames) / np.maximum(covered, 1)


def _unrepeated(weights: np.ndarray, length: int) -> np.ndarray:
    """Return each sample's weight relative to a uniform one, (length,).

    A chunk shorter than 1 s was repeated to fill it: its samples get the mean of the repeats.
    """
    repeated = np.repeat(weights.astype(np.float64) * STEPS, FRAME_SAMPLES)  # (16000,)
    position = np.arange(CHUNK_SAMPLES) % length
    return np.bincount(position, repeated) / np.bincount(position)


def _save_media(stem: Path, samples: np.ndarray, audible: bool) -> dict[str, Any]:
    picture, sound = stem.with_suffix(".png"), stem.with_suffix(".mp3")
    save_spectrogram(picture, samples)
    if audible:
        soundfile.write(sound, samples, SAMPLE_RATE_HZ, format="MP3")
    return {
        "spectrogram": picture.name,
        "spectrogram_max_hz": MAX_HZ,
        "audio": sound.name if audible else None,
    }


def _seconds(samples: int) -> float:
    return round(int(samples) / SAMPLE_RATE_HZ, DECIMALS)


def _rounded(values: np.ndarray) -> list[float]:
    return np.round(values.astype(np.float64), DECIMALS).tolist()
