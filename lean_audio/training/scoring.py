"""Clip scores: the mean of the sigmoid scores of a clip's chunks (paper, IV)."""

from pathlib import Path

import keras
import numpy as np

from lean_audio.files import whole
from lean_audio.training.batches import Examples, OrderedBatches


def score_clips(model: keras.Model, examples: Examples, batch_size: int) -> np.ndarray:
    """(clips, classes) float32, batch by batch: memory grows with clips, not with chunks."""
    clip_of_chunk = examples.chunks.clip_of_chunk
    clips = len(examples.chunks.clips)
    sums = np.zeros((clips, model.output.shape[-1]))
    batches = OrderedBatches(examples, batch_size, model.input)
    for index in range(len(batches)):
        scores = keras.ops.convert_to_numpy(model.predict_on_batch(*batches[index]))
        start = index * batch_size
        np.add.at(sums, clip_of_chunk[start : start + len(scores)], scores)
    return (sums / np.bincount(clip_of_chunk, minlength=clips)[:, None]).astype(np.float32)


def save_scores(path: Path, model: keras.Model, examples: Examples, batch_size: int) -> None:
    """Write a .npy of the split's clip scores."""
    with whole(path) as temporary:
        np.save(temporary, score_clips(model, examples, batch_size))
