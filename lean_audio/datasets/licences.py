"""Read the licence and the uploader of every clip from FSD50K's metadata."""

import json
import re
import zipfile
from pathlib import Path

import pandas as pd

from lean_audio.audio.split_zip import ArchiveRoot, DamagedEntryError, read_bytes
from lean_audio.errors import LeanError

FOLDER = "FSD50K.metadata"
FILES = ("dev_clips_info_FSD50K.json", "eval_clips_info_FSD50K.json")
_FAMILY = re.compile(r"creativecommons\.org/(?:publicdomain|licenses)/([a-z+-]+)/")
_NAMES = {"zero": "CC0", "sampling+": "CC-Sampling+"}


def add_licences(clips: pd.DataFrame, root: Path | ArchiveRoot) -> pd.DataFrame:
    """Add the columns licence and uploader to a clip table; empty where they are not stated.

    Raises LeanError if a metadata file does not have FSD50K's format.
    """
    known = {}
    for name in FILES:
        path = root / FOLDER / name
        if path.is_file():
            known |= _read(path)
    found = [known.get(clip, ("", "")) for clip in clips["clip"]]
    return clips.assign(
        licence=[licence for licence, _ in found], uploader=[uploader for _, uploader in found]
    )


def short_name(url: str) -> str:
    """Shorten a Creative Commons URL to a name such as CC-BY; return other text unchanged."""
    family = _FAMILY.search(url)
    return _NAMES.get(family[1], f"CC-{family[1].upper()}") if family else url


def _read(path: Path | zipfile.Path) -> dict[str, tuple[str, str]]:
    try:
        content = json.loads(read_bytes(path))
        return {clip: (short_name(i["license"]), i["uploader"]) for clip, i in content.items()}
    except (DamagedEntryError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LeanError(f"{path}: not a licence and an uploader for every clip: {error}") from None
