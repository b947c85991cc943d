"""A few evaluation clips to look at and listen to, with what one variant makes of them.

The clips are drawn with the seed alone and never chosen by how well the model does on them: a
reader takes them for typical.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
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
from lean_audio.config.schema import ExampleClips, Variant
from lean_audio.features.chunks import SAMPLE_BYTES, Chunks, shard_path
from lean_audio.files import read_at, whole_folder, write_text
from lean_audio.model import FRAME_SAMPLES, STEPS, build_head
from lean_audio.training.batches import Examples

DECIMALS = 5


@dataclass(frozen=True)
class Trained:
    """A variant by name, and the file of its head's weights."""

    name: str
    variant: Variant
    weights: Path
    backbone: Backbone

    @property
    def attends(self) -> bool:
        return self.variant.attention != "none"

    def open(self, classes: int) -> keras.Model:
        """Outputs: scores (batch, classes) and, if it attends, attention (batch, 40)."""
        head = build_head(self.variant, classes, self.backbone)
        head.load_weights(self.weights)
        outputs = {"scores": head.output}
        if self.attends:
            _, outputs["attention"] = head.get_layer("attention").output
        return keras.Model(head.input, outputs)


def write_examples(
    folder: Path, data: Examples, trained: Trained, settings: ExampleClips, dataset: str, seed: int
) -> None:
    """Write examples.json, and one PNG and, where settings.audio has the dataset, MP3 a clip."""
    model = trained.open(len(data.chunks.vocabulary))
    with whole_folder(folder) as temporary:
        clips = []
        for number, clip in enumerate(draw_clips(data.chunks.clips, settings, seed), 1):
            clips.append(
                {
                    **describe(data, clip, model, settings.labels),
                    **_save_media(
                        temporary / f"{number:02d}",
                        clip_samples(data.chunks, clip),
                        dataset in settings.audio,
                    ),
                }
            )
        content = {
            "variant": trained.name,
            "attends": trained.attends,
            "frame_s": FRAME_SAMPLES / SAMPLE_RATE_HZ,
            "clips": clips,
        }
        text = json.dumps(content, allow_nan=False, separators=(",", ":"))
        write_text(temporary / "examples.json", text + "\n")


def draw_clips(clips: pd.DataFrame, settings: ExampleClips, seed: int) -> list[int]:
    """Rows of labelled clips of at most settings.max_s or, without such a clip, of any length.

    A first label comes again only when every other one has had its turn.
    """
    labelled = clips[clips["labels"].map(len) > 0]
    short = labelled[labelled["samples"] <= settings.max_s * SAMPLE_RATE_HZ]
    eligible = labelled if short.empty else short
    drawn = eligible.iloc[np.random.default_rng(seed).permutation(len(eligible))]
    turn = drawn.groupby(drawn["labels"].map(lambda labels: labels[0])).cumcount()
    return turn.sort_values(kind="stable").index[: settings.clips].tolist()


def clip_samples(chunks: Chunks, clip: int) -> np.ndarray:
    """(samples,) int16 of one row of the clip table, read from disk."""
    row = chunks.clips.loc[clip]
    samples = np.empty(row["samples"], "<i2")
    read_at(shard_path(chunks.folder, row["shard"]), row["offset"] * SAMPLE_BYTES, samples)
    return samples


def describe(data: Examples, clip: int, model: keras.Model, labels: int) -> dict[str, Any]:
    """What examples.json says of one row of the clip table, without its picture and sound."""
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
    scores: np.ndarray, true: set[str], labels: Sequence[str], most: int
) -> list[dict[str, Any]]:
    """The `most` best labels and every true one, by falling clip score.

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
        if rank < most or labels[index] in true
    ]


def fold_attention(
    weights: np.ndarray, starts: Sequence[int], lengths: Sequence[int], samples: int
) -> np.ndarray:
    """(frames,): the attention that each 25 ms of a clip get, 1 where it is uniform.

    weights: (chunks, 40), each row with sum 1; starts, lengths: (chunks,) of the chunks in the
    clip, which has `samples`. Where chunks overlap it is their mean; where no chunk lies, for
    tails may be dropped, it is 0. Worked out by the sample: with some hops and lengths a chunk's
    frames lie across the clip's.
    """
    sums, covering = np.zeros(samples), np.zeros(samples, int)
    for row, start, length in zip(weights, starts, lengths, strict=True):
        sums[start : start + length] += _unrepeated(row, length)
        covering[start : start + length] += 1
    frames = np.arange(0, samples, FRAME_SAMPLES)
    heard = np.add.reduceat((covering > 0).astype(int), frames)
    return np.add.reduceat(sums / np.maximum(covering, 1), frames) / np.maximum(heard, 1)


def _unrepeated(weights: np.ndarray, length: int) -> np.ndarray:
    """(length,) weight of each sample over the uniform one: the mean of the times it was heard.

    A chunk of less than 1 s was repeated to fill it.
    """
    heard = np.repeat(weights.astype(np.float64) * STEPS, FRAME_SAMPLES)  # (16000,)
    position = np.arange(CHUNK_SAMPLES) % length
    return np.bincount(position, heard) / np.bincount(position)


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
