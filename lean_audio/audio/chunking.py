"""Where the chunks of 1 s lie in a clip, with or without overlap (paper, III-A)."""

import numpy as np

from lean_audio.audio.decode import SAMPLE_RATE_HZ

CHUNK_SAMPLES = SAMPLE_RATE_HZ  # 1 s


def count_chunks(samples: np.ndarray, hop_samples: int, tail: str) -> np.ndarray:
    """Of clips of so many samples: (clips,), how many chunks each has.

    Whole chunks start at every multiple of the hop. What the last one leaves over is one more,
    shorter view with tail "repeat", and is left out with "drop". A clip shorter than a chunk is
    one view of all of it. Shorter views are filled by repetition when they are read. Without
    samples there is no view.
    """
    hops, left_over = np.divmod(np.maximum(samples - CHUNK_SAMPLES, 0), hop_samples)
    counts = hops + 1
    if tail == "repeat":
        counts += left_over > 0
    return np.where(samples > 0, counts, 0)


def chunk_views(samples: int, hop_samples: int, tail: str) -> np.ndarray:
    """Where the chunks of one clip lie: (chunks, 2) of start and length, in samples."""
    starts = np.arange(int(count_chunks(np.array(samples), hop_samples, tail))) * hop_samples
    return np.stack([starts, np.minimum(samples - starts, CHUNK_SAMPLES)], axis=1)
