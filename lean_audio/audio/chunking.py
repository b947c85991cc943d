"""Positions of a clip's 1-s chunks, with or without overlap (paper, III-A)."""

import numpy as np

from lean_audio.audio.decode import SAMPLE_RATE_HZ

CHUNK_SAMPLES = SAMPLE_RATE_HZ  # 1 s


def count_chunks(samples: np.ndarray, hop_samples: int, tail: str) -> np.ndarray:
    """Count the chunks of each clip.

    A full chunk starts at every multiple of the hop. A clip shorter than 1 s is one short chunk;
    short chunks are repeated to fill 1 s when they are read. An empty clip has no chunk.

    Parameters
    ----------
    samples
        (clips,) length of each clip, in samples.
    hop_samples
        Distance between the starts of consecutive chunks.
    tail
        What happens to the audio after a clip's last full chunk: "repeat" makes it one more, short
        chunk; "drop" leaves it out.

    Returns
    -------
    numpy.ndarray
        (clips,) number of chunks.
    """
    hops, left_over = np.divmod(np.maximum(samples - CHUNK_SAMPLES, 0), hop_samples)
    counts = hops + 1
    if tail == "repeat":
        counts += left_over > 0
    return np.where(samples > 0, counts, 0)


def chunk_views(samples: int, hop_samples: int, tail: str) -> np.ndarray:
    """Return the start and length of each chunk of one clip, (chunks, 2), in samples."""
    starts = np.arange(int(count_chunks(np.array(samples), hop_samples, tail))) * hop_samples
    return np.stack([starts, np.minimum(samples - starts, CHUNK_SAMPLES)], axis=1)
