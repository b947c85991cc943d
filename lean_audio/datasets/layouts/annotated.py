"""Long recordings, each beside a file of annotations from Audacity or Raven."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lean_audio.datasets.layouts.found import Found, clip_table, vocabulary_of
from lean_audio.datasets.layouts.label_files import (
    SUFFIX,
    Annotation,
    kind_of,
    read_label_file,
    recording_stem,
)
from lean_audio.datasets.names import clean, is_negative, split_of
from lean_audio.datasets.sounds import Sounds
from lean_audio.errors import LeanError, counted, join_first


@dataclass(frozen=True)
class LabelFiles:
    """of_sound: files of annotations by recording; lost: those without a recording."""

    of_sound: dict[str, list[str]]
    lost: list[str]


def find_label_files(root: Path, sounds: Sounds) -> LabelFiles:
    """Find the files of annotations; raise LeanError for one that may belong to two recordings.

    Nothing is found if none has a label. An empty file is a recording without annotations.
    """
    texts = [file for file in sounds.files if file.lower().endswith(SUFFIX)]
    kinds = {file: kind_of(root / file) for file in texts}
    if "labels" not in kinds.values():
        return LabelFiles({}, [])
    by_stem: dict[PurePosixPath, list[str]] = {}
    for file in sounds.found:
        by_stem.setdefault(PurePosixPath(clean(file)).with_suffix(""), []).append(file)
    of_sound: dict[str, list[str]] = {}
    lost = []
    for file in (file for file in texts if kinds[file] != "other"):
        path = PurePosixPath(clean(file))
        owners = by_stem.get(path.with_name(recording_stem(path.name)), [])
        if len(owners) > 1:
            names = " or ".join(map(repr, owners))
            raise LeanError(f"{root / file} may belong to {names}; keep one of them")
        if owners:
            of_sound.setdefault(owners[0], []).append(file)
        elif kinds[file] == "labels":
            lost.append(file)
    return LabelFiles(of_sound, lost)


def is_annotated(sounds: Sounds, files: LabelFiles) -> bool:
    """Return whether at least half of the recordings have annotations, or no folder is a label."""
    candidates = [file for file in sounds.found if not _is_background(file)]
    many = 2 * len(files.of_sound) >= len(candidates)
    return bool(files.of_sound) and (many or all("/" not in file for file in candidates))


def read_annotated(root: Path, sounds: Sounds, files: LabelFiles, label_column: str) -> Found:
    """Read recordings with their annotations.

    A recording without a file of annotations is left out, because nobody knows what is in it, but
    in a folder of names.NEGATIVES it is an example without labels. Folders named after splits are
    splits if all at the top are.
    """
    annotations: dict[str, list[Annotation]] = {
        sound: [found for file in of for found in read_label_file(root / file, label_column)]
        for sound, of in files.of_sound.items()
    }
    backgrounds = [file for file in sounds.found if _is_background(file)]
    annotations |= {file: [] for file in backgrounds if file not in annotations}
    splits = _splits(annotations)
    clips = clip_table(
        {"file": file, "labels": labels_of(annotations[file]), "split": splits.get(file, "")}
        for file in sorted(annotations)
    )
    count = sum(map(len, annotations.values()))
    recordings = counted(len(annotations), "recording")
    return Found(
        clips,
        vocabulary_of(clips, str(root)),
        str(root),
        f"cut from {recordings} with {counted(count, 'annotation')}",
        tuple(_remarks(sounds, annotations, files.lost)),
        annotations,
    )


def labels_of(annotations: Iterable[Annotation]) -> tuple[str, ...]:
    """Return the labels of several annotations."""
    return tuple(sorted({label for annotation in annotations for label in annotation.labels}))


def _remarks(sounds: Sounds, used: Iterable[str], lost: list[str]) -> list[str]:
    remarks = []
    if unused := sorted(set(sounds.found) - set(used)):
        remarks.append(
            "not used, as they have no file of annotations: "
            f"{counted(len(unused), 'recording')} ({join_first(unused)}); an empty one means that "
            "nothing is heard"
        )
    if lost:
        found = f"{counted(len(lost), 'file')} ({join_first(lost)})"
        remarks.append(f"annotations without their recording: {found}")
    return remarks


def _is_background(file: str) -> bool:
    return any(map(is_negative, PurePosixPath(file).parent.parts))


def _splits(files: Iterable[str]) -> dict[str, str]:
    """Return the split of each recording; empty unless all folders at the top are splits."""
    splits = {file: split_of(PurePosixPath(file).parts[0]) for file in files}
    stated = {file: split for file, split in splits.items() if split}
    rest = [file for file in splits if file not in stated]
    return stated if all(is_negative(PurePosixPath(file).parts[0]) for file in rest) else {}
