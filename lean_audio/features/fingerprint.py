"""Fingerprints of what a model receives: two trainings are compared only if theirs are equal."""

import hashlib
import json
from collections.abc import Sequence

import pandas as pd


def data_sha256(
    clips: pd.DataFrame, chunks: pd.DataFrame, vocabulary: Sequence[str], resampler: str
) -> str:
    """Fingerprint what a model receives of a split and is scored on.

    Parameters
    ----------
    clips
        Usable clips: clip, checksum, start_s, end_s, labels, offset. Where they are stored, their
        licence and uploader do not count.
    chunks
        clip (row of `clips`), offset and samples of each chunk.
    vocabulary
        Class labels, in order.
    resampler
        soxr quality: the checksums are of the files before resampling.
    """
    start = chunks["offset"] - clips["offset"].to_numpy()[chunks["clip"]]
    views = chunks[["clip", "samples"]].assign(start=start)
    digest = hashlib.sha256(json.dumps([list(vocabulary), resampler]).encode())
    parts = ["start_s", "end_s"] if (clips["end_s"] != "").any() else []
    for table in (clips[["clip", "checksum", *parts, "labels"]], views):
        digest.update(table.to_csv(index=False, lineterminator="\n").encode())
    return digest.hexdigest()


def features_sha256(data: str, weights: str, mean_normalization: bool) -> str:
    """Fingerprint a split as seen through a backbone: data, weights and front end."""
    return hashlib.sha256(f"{data} {weights} {mean_normalization}".encode()).hexdigest()
