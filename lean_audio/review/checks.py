"""Check what may be wrong with a dataset's clips: one list of warnings, whatever found them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.datasets.checks import SENTENCES, check_clips
from lean_audio.datasets.layout import Dataset
from lean_audio.errors import counted, join_first
from lean_audio.features.chunks import open_chunks
from lean_audio.review.copies import Pair, find_copies, group_pairs
from lean_audio.review.sound import Sounds, measure_sounds

NAMED, SAID = 10, 3  # of what a check found: how many are written, and said on the screen
SILENT_PEAK = 0.001  # of full scale, -60 dB: the log-mel's offset hides what is below
CLIPPED_FRACTION = 0.001  # of a clip's samples that are at full scale
GOOD_START = {"train": ("training", 10), "eval": ("evaluation", 5)}  # clips of a label
# name of a check -> what is said of what it found, and what that is; SENTENCES has the others
WORDS = {
    "identical_across_splits": ("the same samples in more than one split", "sound"),
    "near_identical_across_splits": ("nearly the same sound in more than one split", "sound"),
    "identical_with_other_labels": ("the same samples with different labels", "sound"),
    "silent": ("silent, with no sample above -60 dB of full scale", "clip"),
    "clipped": ("clipped, with 0.1 % or more of the samples at full scale", "clip"),
    "labels_with_few_clips": (
        "fewer than 10 training clips to learn from, or 5 evaluation clips to be measured on",
        "label",
    ),
    "labels_in_one_split": ("clips in one split only", "label"),
    "labels_always_together": ("labels on the same clips, so nothing tells them apart", "set"),
}


def check_data(dataset: Dataset, audio: Path) -> dict[str, Any]:
    """Return the content of metrics/<dataset>/data_checks.json; clips set aside do not count.

    audio: directory of samples, one per split.
    """
    sounds = [measure_sounds(open_chunks(audio / folder)) for folder in SPLIT_FOLDERS.values()]
    clips = _usable(dataset.clips, sounds)
    found = {
        **check_clips(clips, dataset.vocabulary),
        **_check_sounds(clips, find_copies(sounds)),
        **_check_labels(clips, dataset.vocabulary),
    }
    words = {**SENTENCES, **WORDS}
    return {
        "clips": len(clips),
        "warnings": sum(bool(found.get(name)) for name in words),
        "checks": [_entry(name, *words[name], found.get(name, [])) for name in words],
    }


def warnings(content: Mapping[str, Any]) -> Iterator[str]:
    """Say what the checks of `check_data` found, one sentence each."""
    for check in content["checks"]:
        if check["count"]:
            named = check["first"][:SAID] + [""] * (check["count"] - SAID)
            found = counted(check["count"], check["noun"])
            yield f"{check['finding']}: {found} ({join_first(named, SAID)})"


def _entry(name: str, finding: str, noun: str, found: Sequence[str]) -> dict[str, Any]:
    first = list(found[:NAMED])
    return {"name": name, "finding": finding, "noun": noun, "count": len(found), "first": first}


def _usable(clips: pd.DataFrame, sounds: Sequence[Sounds]) -> pd.DataFrame:
    """Return the clips that were not set aside, with what was measured of their sound.

    The columns `split_number` and `row` say where a clip is among the sounds.
    """
    tables = [
        one.levels.assign(
            clip=one.chunks.clips["clip"].to_numpy(),
            split=split,
            split_number=n,
            row=range(len(one.levels)),
        )
        for n, (split, one) in enumerate(zip(SPLIT_FOLDERS, sounds, strict=True))
    ]
    return clips.merge(pd.concat(tables, ignore_index=True), on=["split", "clip"], how="inner")


def _check_sounds(clips: pd.DataFrame, copies: Sequence[Pair]) -> dict[str, list[str]]:
    """Find silent, clipped and identical clips; copies: pairs of (split number, row)."""
    silent = clips["peak"] < SILENT_PEAK
    clipped = clips["clipped"] >= CLIPPED_FRACTION
    place = clips.set_index(["split_number", "row"])
    audible = [pair for pair in copies if not _identical(place, pair)]
    same = clips[~silent].groupby("digest", sort=False)
    return {
        "identical_across_splits": [
            _equal(group) for _, group in same if group["split"].nunique() > 1
        ],
        "near_identical_across_splits": [
            _equal(place.loc[group]) for group in group_pairs(audible)
        ],
        "identical_with_other_labels": [
            _equal(group, "labels")
            for _, group in same
            if group["labels"].map(frozenset).nunique() > 1
        ],
        "silent": _named(clips[silent]),
        "clipped": _named(clips[clipped].sort_values("clipped", ascending=False, kind="stable")),
    }


def _identical(place: pd.DataFrame, pair: Pair) -> bool:
    return place.at[pair[0], "digest"] == place.at[pair[1], "digest"]


def _named(clips: pd.DataFrame) -> list[str]:
    return (clips["clip"] + " (" + clips["split"] + ")").tolist()


def _equal(clips: pd.DataFrame, column: str = "split") -> str:
    """Name clips that are one sound, each with its split or its labels."""
    details = clips[column] if column == "split" else clips[column].map(", ".join)
    return " = ".join(
        f"{clip} ({detail})" for clip, detail in zip(clips["clip"], details, strict=True)
    )


def _check_labels(clips: pd.DataFrame, vocabulary: Sequence[str]) -> dict[str, list[str]]:
    """Find labels that have too few clips, that are in one split, or that are not alone."""
    rows = clips[["split", "clip", "labels"]].explode("labels").dropna()
    counts = pd.crosstab(rows["labels"], rows["split"])
    counts = counts.reindex(index=list(vocabulary), columns=list(SPLIT_FOLDERS), fill_value=0)
    alone = counts[(counts > 0).sum(axis=1) == 1]
    others = counts.drop(alone.index)
    few = {label: _shortage(row) for label, row in others.iterrows()}
    return {
        "labels_with_few_clips": [f"{label} ({short})" for label, short in few.items() if short],
        "labels_in_one_split": [f"{label} ({row.idxmax()})" for label, row in alone.iterrows()],
        "labels_always_together": _together(rows),
    }


def _shortage(counts: Mapping[str, int]) -> str:
    """Say which splits have few clips of a label."""
    short = [
        f"{int(counts[split])} {name}"
        for split, (name, enough) in GOOD_START.items()
        if counts[split] < enough
    ]
    return ", ".join(short)


def _together(rows: pd.DataFrame) -> list[str]:
    """Name the labels that are on exactly the same clips."""
    on = (rows["split"] + "/" + rows["clip"]).groupby(rows["labels"]).agg(frozenset)
    by_clips = sorted(on.items(), key=lambda item: (sorted(item[1]), item[0]))
    groups = [[name for name, _ in group] for _, group in groupby(by_clips, lambda item: item[1])]
    return sorted(" = ".join(group) for group in groups if len(group) > 1)
