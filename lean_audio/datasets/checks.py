"""What may be wrong with one's own sounds without making a training impossible."""

import re
from collections.abc import Sequence

import pandas as pd

from lean_audio.errors import counted, join_first

# name of a check -> what is said of what it found, and what that is
SENTENCES = {
    "identical_across_splits": ("the same bytes in more than one split", "sound"),
    "groups_across_splits": ("clips in more than one split", "group"),
    "recordings_across_splits": ("parts in more than one split", "recording"),
    "labels_without_training_clip": ("no training clip", "label"),
    "labels_alike": ("the same but for capitals, spaces or signs", "name"),
    "labels_on_every_clip": ("on every clip, so there is nothing to learn about it", "label"),
}


def check_clips(clips: pd.DataFrame, vocabulary: Sequence[str]) -> dict[str, list[str]]:
    """Return, for each check of SENTENCES that found something, what it found.

    clips: clip, split, labels, file, start_s, end_s, checksum, group.
    """
    labels = clips[["split", "labels"]].explode("labels")
    trained = set(labels.loc[labels["split"] == "train", "labels"])
    counts = labels["labels"].value_counts()
    found = {
        "identical_across_splits": _across_splits(
            clips.assign(sound=clips["checksum"] + " " + clips["start_s"] + " " + clips["end_s"]),
            "sound",
        ),
        "groups_across_splits": list(_several_splits(clips[clips["group"] != ""], "group")),
        "recordings_across_splits": list(_several_splits(clips[clips["end_s"] != ""], "file")),
        "labels_without_training_clip": [name for name in vocabulary if name not in trained],
        "labels_alike": _alike(vocabulary),
        "labels_on_every_clip": [name for name in vocabulary if counts.get(name) == len(clips)],
    }
    return {name: what for name, what in found.items() if what}


def _alike(vocabulary: Sequence[str]) -> list[str]:
    """Name the labels that one may have meant to be one: Dog, dog; Dog bark, dog_bark."""
    alike: dict[str, list[str]] = {}
    for label in vocabulary:
        alike.setdefault(re.sub(r"[\W_]+", "", label.casefold()) or label, []).append(label)
    return [" = ".join(labels) for labels in alike.values() if len(labels) > 1]


def sentences(checks: dict[str, list[str]]) -> list[str]:
    """Say what the checks found, one sentence each."""
    said = []
    for name, found in checks.items():
        fault, noun = SENTENCES[name]
        said.append(f"{fault}: {counted(len(found), noun)} ({join_first(map(repr, found))})")
    return said


def _several_splits(clips: pd.DataFrame, column: str) -> pd.Index:
    splits = clips.groupby(column)["split"].nunique()
    return splits[splits > 1].index


def _across_splits(clips: pd.DataFrame, column: str) -> list[str]:
    """Name the clips that share a value although they are in several splits."""
    same = clips[clips[column].isin(_several_splits(clips, column))]
    named = (same["clip"] + " (" + same["split"] + ")").groupby(same[column], sort=False)
    return named.agg(" = ".join).tolist()
