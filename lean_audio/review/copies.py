"""Find clips that hold the same sound in different splits.

Fingerprints propose pairs; the sound itself decides: two clips hold the same sound if their
waveforms around the loudest moment, shifted against each other, correlate at least SAME.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import fft
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lean_audio.review.sound import Sounds

ALIKE = 0.85  # cosine of two fingerprints, from which on the waveforms are compared
NEAREST = 5  # clips of each other split that a clip is compared with, at most
SAME = 0.95  # correlation of two waveforms, from which on they are the same sound
MIN_PARTS = (0.01, 0.25)  # of the energy of two waveforms, that their overlap must hold
AROUND = 16_000  # samples before and after the loudest moment that are compared
BLOCK = 512  # clips whose fingerprints are compared with a whole split at a time

Pair = tuple[tuple[int, int], tuple[int, int]]  # two clips, each as (split, row)


def find_copies(sounds: Sequence[Sounds]) -> list[Pair]:
    """Return the pairs of clips in different splits that hold the same sound."""
    return [
        ((one, row), (two, other))
        for one, two in combinations(range(len(sounds)), 2)
        for row, other in _candidates(sounds[one].fingerprints, sounds[two].fingerprints)
        if correlation(_excerpt(sounds[one], row), _excerpt(sounds[two], other)) >= SAME
    ]


def group_pairs(pairs: Sequence[Pair]) -> list[list[tuple[int, int]]]:
    """Return the sets of clips that the pairs connect, each as (split, row), sorted."""
    clips = sorted({clip for pair in pairs for clip in pair})
    if not clips:
        return []
    place = {clip: number for number, clip in enumerate(clips)}
    ends = [[place[pair[side]] for pair in pairs] for side in (0, 1)]
    graph = coo_array((np.ones(len(pairs)), tuple(ends)), shape=(len(clips), len(clips)))
    members = connected_components(graph, directed=False)[1]
    return [group.tolist() for _, group in pd.Series(clips).groupby(members)]


def _candidates(ours: np.ndarray, theirs: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield (row, other): for each of theirs the NEAREST rows of ours that are ALIKE."""
    count = min(NEAREST, len(ours))
    for start in range(0, len(theirs), BLOCK):
        likeness = theirs[start : start + BLOCK] @ ours.T
        nearest = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        chosen = np.take_along_axis(likeness, nearest, axis=1) >= ALIKE
        for other, place in zip(*np.nonzero(chosen), strict=True):
            yield int(nearest[other, place]), start + int(other)


def _excerpt(sounds: Sounds, row: int) -> np.ndarray:
    at = sounds.levels["loudest"].iloc[row]
    return sounds.chunks.clip_samples(row)[max(at - AROUND, 0) : at + AROUND].astype(np.float64)


def correlation(one: np.ndarray, two: np.ndarray) -> float:
    """Return the highest correlation of two waveforms at any shift, in [0, 1].

    It is that of the overlapping parts. They must be half of the shorter waveform, and hold
    MIN_PARTS of the energy of the two: silence beside silence is not the same sound.
    """
    length = fft.next_fast_len(len(one) + len(two) - 1, real=True)
    spectrum = fft.rfft(one, length) * np.conj(fft.rfft(two, length))
    products = np.abs(fft.irfft(spectrum, length))
    lags = np.arange(1 - len(two), len(one))  # of `two` behind `one`
    start, end = np.maximum(lags, 0), np.minimum(len(one), len(two) + lags)
    ours, our_part = _energies(one, start, end)
    theirs, their_part = _energies(two, start - lags, end - lags)
    overlapping = end - start >= min(len(one), len(two)) / 2
    parts = np.sort([our_part, their_part], axis=0)
    overlapping &= (parts.T >= MIN_PARTS).all(axis=1)
    scale = np.sqrt(np.maximum(ours * theirs, 1.0))
    return float(np.where(overlapping, products[lags] / scale, 0.0).max(initial=0.0))


def _energies(
    samples: np.ndarray, start: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the energy of samples[start:end] for each start and end, and its fraction of all."""
    total = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    energies = total[end] - total[start]
    return energies, energies / max(total[-1], 1.0)
