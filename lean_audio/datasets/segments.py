"""Cut annotated recordings into clips, so that everything after the list of clips is as ever.

A chunk of 1 s has the labels of the annotations that it overlaps by half a second. If no chunk
overlaps an annotation by that much, as it is short, those that overlap it most have its label: no
annotation is lost. All other chunks are negative examples. Consecutive chunks with the same labels
are one clip, of at most SEGMENT_S: a mean score over minutes would hide false alarms.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
import pandas as pd

from lean_audio.audio.chunking import CHUNK_SAMPLES, chunk_views
from lean_audio.audio.decode import SAMPLE_RATE_HZ
from lean_audio.datasets.layouts.found import part_name
from lean_audio.datasets.layouts.label_files import Annotation
from lean_audio.datasets.names import seconds_text

SEGMENT_S = 5  # of the longest clip
BLOCKS = 20  # of a recording that is split in time
OVERLAP_SAMPLES = CHUNK_SAMPLES // 2


@dataclass(frozen=True)
class Recording:
    """An annotated recording; stated_samples: its length at 16 kHz; None if it cannot be read."""

    stated_samples: int | None
    annotations: Sequence[Annotation]

    @property
    def samples(self) -> int:
        """Return its length or, if it cannot be read, where its last annotation ends.

        Stage prepare then sets its clips aside, and counts as many as of another recording.
        """
        if self.stated_samples is not None:
            return self.stated_samples
        last_s = max((annotation.end_s for annotation in self.annotations), default=0)
        return max(round(last_s * SAMPLE_RATE_HZ), CHUNK_SAMPLES)


def label_chunks(
    views: np.ndarray, annotations: Sequence[Annotation]
) -> tuple[np.ndarray, list[str]]:
    """Return which chunk has which label, (chunks, labels) bool, and the labels in order.

    views: (chunks, 2) start and length of each chunk, in samples at 16 kHz.
    """
    labels = sorted({label for annotation in annotations for label in annotation.labels})
    hot = np.zeros((len(views), len(labels)), bool)
    starts, ends = views[:, 0], views.sum(axis=1)
    for annotation in annotations:
        first, last = (round(s * SAMPLE_RATE_HZ) for s in (annotation.start_s, annotation.end_s))
        if first == last:  # a point: also between two chunks, and at the very end
            first, last = first - 1, last + 1
        overlap = np.minimum(ends, last) - np.maximum(starts, first)
        enough = max(min(OVERLAP_SAMPLES, overlap.max()), 1)
        columns = [labels.index(label) for label in annotation.labels]
        hot[np.ix_(overlap >= enough, columns)] = True
    return hot, labels


def cut(
    clips: pd.DataFrame,
    recordings: Mapping[str, Recording],
    hops_s: Mapping[str, float],
    tail: str,
) -> pd.DataFrame:
    """Cut recordings, or the blocks of them, into clips.

    Parameters
    ----------
    clips
        One row per recording or block: columns as in layouts.found, checksum, and a split.
    recordings
        By file.
    hops_s, tail
        As in prepare: the chunks of the clips are those of the recording.

    Returns
    -------
    pandas.DataFrame
        One row per clip.
    """
    rows = []
    for row in clips.to_dict("records"):
        recording = recordings[row["file"]]
        hop_samples = round(hops_s[row["split"]] * SAMPLE_RATE_HZ)
        block = [round(float(row[name] or 0) * SAMPLE_RATE_HZ) for name in ("start_s", "end_s")]
        for first, last, labels in _segments(recording, hop_samples, tail, block):
            span = [seconds_text(at / SAMPLE_RATE_HZ) for at in (first, last)]
            rows.append(
                row
                | dict(zip(("start_s", "end_s"), span, strict=True))
                | {"clip": part_name(row["clip"], *span), "labels": labels}
                | {"checksum": row["checksum"].split()[0]}
            )
    return pd.DataFrame(rows, columns=clips.columns)


def in_blocks(
    clips: pd.DataFrame,
    recordings: Mapping[str, Recording],
    hops_s: Mapping[str, float],
    tail: str,
) -> pd.DataFrame:
    """Cut each recording into blocks of time, which are split as recordings are otherwise.

    hops_s, tail: as in `cut`. A block has the labels that its clips have in whichever split it is.
    """
    hops_samples = {round(hop_s * SAMPLE_RATE_HZ) for hop_s in hops_s.values()}
    rows = []
    for row in clips.to_dict("records"):
        recording = recordings[row["file"]]
        edges = _block_edges(recording.samples)
        for number, (first, last) in enumerate(pairwise(edges)):
            block = [round(edge * SAMPLE_RATE_HZ) for edge in (first, last)]
            cuts = [_segments(recording, hop, tail, block) for hop in hops_samples]
            heard = [{label for _, _, labels in cut_up for label in labels} for cut_up in cuts]
            rows.append(
                row
                | {"start_s": seconds_text(first), "end_s": seconds_text(last)}
                | {"labels": tuple(sorted(set.intersection(*heard)))}
                | {"checksum": f"{row['checksum']} {number}"}  # apart, until they are split
            )
    return pd.DataFrame(rows, columns=clips.columns)


def _block_edges(samples: int) -> list[float]:
    """Return the seconds at which the blocks of a recording start, and its end."""
    length_s = samples / SAMPLE_RATE_HZ
    block_s = max(SEGMENT_S, ceil(length_s / BLOCKS))
    starts = [k * block_s for k in range(max(int(length_s // block_s), 1))]
    return [*starts, length_s]


def _segments(
    recording: Recording, hop_samples: int, tail: str, block: Sequence[int]
) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield start and end in samples, and the labels, of the clips of a block.

    A chunk across the border of two blocks is in neither.
    """
    views = chunk_views(recording.samples, hop_samples, tail)
    hot, labels = label_chunks(views, recording.annotations)
    start, end = block[0], block[1] or recording.samples
    inside = (views[:, 0] >= start) & (views.sum(axis=1) <= end)
    views, hot = views[inside], hot[inside]
    limit = 1 + (SEGMENT_S * SAMPLE_RATE_HZ - CHUNK_SAMPLES) // hop_samples  # chunks in a clip
    changes = np.flatnonzero((hot[1:] != hot[:-1]).any(axis=1)) + 1
    for run in np.split(np.arange(len(views)), changes):
        for piece in (run[number : number + limit] for number in range(0, len(run), limit)):
            names = tuple(label for label, on in zip(labels, hot[piece[0]], strict=True) if on)
            yield int(views[piece[0], 0]), int(views[piece[-1]].sum()), names
