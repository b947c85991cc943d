"""Names in tables and folders, however they were typed: labels, columns, splits."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from lean_audio.config.paths import SPLIT_FOLDERS

SPLITS = tuple(SPLIT_FOLDERS)
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("eval", "evaluation", "test", "testing"), "eval"),
}
NEGATIVES = {"background", "_background_noise_", "negative", "silence"}  # folders without a label
PARENTS_TABLES = ("parents.csv", "parents.tsv")  # child, parent; beside the sounds
LABEL_SEPARATORS = ",;|"  # in a table of one's own; a comma in FSD50K's and in ours
_INVISIBLE = "\ufeff\u200b"  # byte order mark, zero-width space


def clean(text: str) -> str:
    """Compose accents (NFC), as macOS does not, and remove space and byte order marks around it."""
    return unicodedata.normalize("NFC", text).strip().strip(_INVISIBLE).strip()


def column_name(text: str) -> str:
    """Return the name that a column is looked up by: `File Name` is file_name."""
    return re.sub(r"[\s-]+", "_", clean(text).casefold())


def split_of(text: str) -> str | None:
    """Return the split that a name means: "" of an empty one, None of an unknown one."""
    name = clean(text).casefold()
    return SPLIT_NAMES.get(name) if name else ""


def is_negative(folder: str) -> bool:
    """Return whether the clips of a folder have no label."""
    return clean(folder).casefold() in NEGATIVES


def seconds_text(seconds: float) -> str:
    """Write a time without trailing zeros; 7 decimals are exact for a sample at 16 kHz."""
    return f"{seconds:.7f}".rstrip("0").rstrip(".")


@cache  # clips with the same labels share one tuple
def split_labels(text: str, separators: str = ",") -> tuple[str, ...]:
    """Return the labels in a field of a table, each once."""
    return unique_labels(re.split(f"[{re.escape(separators)}]", text))


def unique_labels(names: Iterable[str]) -> tuple[str, ...]:
    """Return cleaned names, each once, without empty ones."""
    return tuple(dict.fromkeys(name for name in map(clean, names) if name))


def is_text(name: str) -> bool:
    """Return whether a table can hold a name: no line breaks, and no bytes that are not UTF-8."""
    return not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name)


def label_fault(label: str, separators: str = ",") -> str:
    """Say why a name cannot be a label; "" if it can."""
    if used := [mark for mark in separators if mark in label]:
        return f"has {'a comma' if used[0] == ',' else repr(used[0])}, which separates labels"
    if not label or not is_text(label):
        return "is empty or has a line break; a label is one line"
    return ""
