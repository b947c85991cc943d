"""A directory of one's own sounds: recognised, hashed, split if nobody has, and checked."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from lean_audio.config.datasets import SETTINGS, Folder
from lean_audio.config.schema import Prepare
from lean_audio.datasets.checks import check_clips, sentences
from lean_audio.datasets.layout import Dataset, check_splits, hash_clips, make_dataset
from lean_audio.datasets.layouts.found import Found
from lean_audio.datasets.layouts.recognise import read_folder
from lean_audio.datasets.layouts.spans import lengths_of
from lean_audio.datasets.layouts.table import Columns
from lean_audio.datasets.names import PARENTS_TABLES, SPLITS
from lean_audio.datasets.parents import add_parents
from lean_audio.datasets.segments import Recording, cut, in_blocks
from lean_audio.datasets.splits import fill_splits, group_clips
from lean_audio.errors import BadInputError, LeanError, counted, join_first
from lean_audio.screen import say


def read_own_sounds(settings: Folder, name: str, prepare: Prepare) -> tuple[Dataset, str]:
    """Return the dataset and one line about it; print a warning for what may be a mistake.

    prepare: its hops and its tail place the chunks for which recordings are cut into clips.

    Raises LeanError for a directory that no training is possible with.
    """
    root = settings.root
    columns = Columns(settings.file_column, settings.label_column, settings.group_column)
    found = read_folder(root, settings.table, columns, settings.eval_folds)
    found = _with_parents(found, settings)
    for remark in found.remarks:
        say(f"warning: {remark}")
    clips = group_clips(hash_clips(found, root), settings.group_pattern, found.where)
    made = bool((clips["split"] == "").any()) or set(clips["split"]) != set(SPLITS)
    if found.annotations is None:
        clips = _split(clips, settings, found.where)
    else:
        clips = _split_recordings(clips, found, settings, prepare)
    origin = f"the directory {root.resolve().name!r} {found.layout}"
    dataset = make_dataset(clips, found, name, origin, synthetic=False)
    for sentence in sentences(check_clips(dataset.clips, dataset.vocabulary)):
        say(f"warning: {sentence}")
    return dataset, _line(dataset, found.layout, made)


def check_learnable(dataset: Dataset) -> None:
    """Raise BadInputError if all clips have the same labels."""
    if dataset.clips["labels"].nunique() == 1:
        raise BadInputError(
            f"{dataset.origin}: all {len(dataset.clips)} clips have the same labels "
            f"({join_first(dataset.vocabulary)}), so there is nothing to learn: add clips with "
            "other labels, or without any in a folder named background"
        )


def _line(dataset: Dataset, layout: str, made: bool) -> str:
    counts: Mapping[str, int] = dataset.clips["split"].value_counts().to_dict()
    splits = ", ".join(f"{counts[split]:,} {split}" for split in SPLITS)
    by = " (split here)" if made else ""
    clips, labels = len(dataset.clips), len(dataset.vocabulary)
    bare = int((dataset.clips["labels"].map(len) == 0).sum())
    without = f", {bare:,} without one" if bare else ""
    return f"{counted(clips, 'clip')} {layout}; {counted(labels, 'label')}{without}; {splits}{by}"


def _with_parents(found: Found, settings: Folder) -> Found:
    if settings.propagate:
        return add_parents(found, settings.root, settings.parents)
    if settings.parents:
        raise LeanError(
            f"{SETTINGS}: parents: {settings.parents!r} is used with propagate: true only"
        )
    there = [name for name in PARENTS_TABLES if (settings.root / name).is_file()]
    unused = [f"not used: {name}; set propagate in {SETTINGS} to true" for name in there]
    return replace(found, remarks=(*found.remarks, *unused))


def _split(clips: pd.DataFrame, settings: Folder, where: str) -> pd.DataFrame:
    """Return the clips with a split for each; raise BadInputError if one stays without labels."""
    split = fill_splits(clips, settings.splits.model_dump(), settings.split_seed, where)
    clips = clips.assign(split=split)
    check_splits(clips, where)
    return clips


def _split_recordings(
    clips: pd.DataFrame, found: Found, settings: Folder, prepare: Prepare
) -> pd.DataFrame:
    """Split recordings, or their parts if they are too few, and cut them into clips."""
    annotations = found.annotations or {}
    lengths = lengths_of(settings.root, annotations)
    recordings = {file: Recording(lengths[file], annotations[file]) for file in annotations}
    chunks = prepare.hop_s.model_dump(), prepare.tail
    try:
        split = _split(clips, settings, found.where)
    except BadInputError as error:
        try:
            split = _split(in_blocks(clips, recordings, *chunks), settings, found.where)
        except BadInputError:
            raise error from None
        say(
            f"warning: {counted(len(clips), 'recording')} cannot fill all splits, so recordings "
            "are split in time: the results are for these recordings and not for others"
        )
    cut_up = cut(split, recordings, *chunks)
    check_splits(cut_up, found.where)
    return cut_up
