"""Clip scores: the mean of the sigmoid scores of a clip's chunks (paper, IV)."""

import keras
import numpy as np

from lean_audio.training.batches import Examples, OrderedBatches

BATCH_SIZE = 256


def score_clips(model: keras.Model, examples: Examples, batch_size: int = BATCH_SIZE) -> np.ndarray:
    """Score every clip of a split, batch by batch, so memory grows with clips and not with chunks.

    Returns
    -------
    numpy.ndarray
        (clips, classes) float32.
    """
    clip_of_chunk = examples.chunks.clip_of_chunk
    clips = len(examples.chunks.clips)
    sums = np.zeros((clips, model.output.shape[-1]))
    batches = OrderedBatches(examples, batch_size, model.input)
    for index in range(len(batches)):
        scores = keras.ops.convert_to_numpy(model.predict_on_batch(*batches[index]))
        start = index * batch_size
        np.add.at(sums, clip_of_chunk[start : start + len(scores)], scores)
    return (sums / np.bincount(clip_of_chunk, minlength=clips)[:, None]).astype(np.float32)
