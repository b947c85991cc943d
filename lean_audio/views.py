"""Where the chunks of 1 s lie in a clip, with or without overlap (paper, III-A)."""

import numpy as np

from lean_audio.audio import SAMPLE_RATE_HZ

CHUNK_SAMPLES = SAMPLE_RATE_HZ  # 1 s


def chunk_views(samples: int, hop_samples: int, tail: str) -> np.ndarray:
    """Where a clip's chunks lie: (chunks, 2) of start and length, in samples.

    Whole chunks start at every multiple of the hop. What the last one leaves over is one more,
    shorter view with tail "repeat", and is left out with "drop". A clip shorter than a chunk is
    one view of all of it. Shorter views are filled by repetition when they are read. Without
    samples there is no view.
    """
    if not samples:
        return np.empty((0, 2), int)
    if samples <= CHUNK_SAMPLES:
        return np.array([[0, samples]])
    starts = np.arange(0, samples - CHUNK_SAMPLES + 1, hop_samples)
    lengths = np.full_like(starts, CHUNK_SAMPLES)
    covered, next_start = starts[-1] + CHUNK_SAMPLES, starts[-1] + hop_samples
    if tail == "repeat" and covered < samples:
        starts = np.append(starts, next_start)
        lengths = np.append(lengths, samples - next_start)
    return np.stack([starts, lengths], axis=1)
