"""A directory of one's own sounds: recognised, hashed, split if nobody has, and checked."""

from collections.abc import Mapping

from lean_audio.config.datasets import Folder
from lean_audio.datasets.checks import check_clips, sentences
from lean_audio.datasets.layout import Dataset, check_splits, hash_clips, make_dataset
from lean_audio.datasets.layouts.recognise import read_folder
from lean_audio.datasets.layouts.table import Columns
from lean_audio.datasets.names import SPLITS
from lean_audio.datasets.splits import fill_splits, group_clips
from lean_audio.errors import counted
from lean_audio.screen import say


def read_own_sounds(settings: Folder, name: str) -> tuple[Dataset, str]:
    """Return the dataset and one line about it; print a warning for what may be a mistake.

    Raises LeanError for a directory that no training is possible with.
    """
    root = settings.root
    columns = Columns(settings.file_column, settings.label_column, settings.group_column)
    found = read_folder(root, settings.table, columns, settings.eval_folds)
    for remark in found.remarks:
        say(f"warning: {remark}")
    clips = group_clips(hash_clips(found, root), settings.group_pattern, found.where)
    split = fill_splits(clips, settings.splits.model_dump(), settings.split_seed, found.where)
    made = not split.equals(clips["split"])
    clips = clips.assign(split=split)
    check_splits(clips, found.where)
    origin = f"the directory {root.resolve().name!r} {found.layout}"
    dataset = make_dataset(clips, found, name, origin, synthetic=False)
    for sentence in sentences(check_clips(dataset.clips, dataset.vocabulary)):
        say(f"warning: {sentence}")
    return dataset, _line(dataset, found.layout, made)


def _line(dataset: Dataset, layout: str, made: bool) -> str:
    counts: Mapping[str, int] = dataset.clips["split"].value_counts().to_dict()
    splits = ", ".join(f"{counts[split]:,} {split}" for split in SPLITS)
    by = " (split here)" if made else ""
    clips, labels = len(dataset.clips), len(dataset.vocabulary)
    return f"{counted(clips, 'clip')} {layout}; {counted(labels, 'label')}; {splits}{by}"
