"""Labels and card inside a shipped .tflite, read without an interpreter."""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

from lean_audio.errors import LeanError

KEYS = {"thresholds", "hop_s", "tail", "resampler"}  # what running a model cannot do without


def read_card(path: Path) -> tuple[list[str], dict[str, Any]]:
    """Read the labels and the content of lean.json inside a model file.

    Raises
    ------
    LeanError
        If there is no such file, or it has neither.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            labels = archive.read("labels.txt").decode().removesuffix("\n").split("\n")
            card = json.loads(archive.read("lean.json"))
        if len(card["thresholds"]) != len(labels) or not set(card) >= KEYS:
            raise KeyError
    except FileNotFoundError:
        raise LeanError(f"{path}: no such model file") from None
    except OSError as error:
        raise LeanError(f"{path}: not readable as a model ({error.strerror})") from None
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, RuntimeError):
        raise LeanError(
            f"{path} has no LEAN metadata (labels.txt and lean.json inside); "
            "allowed are the .tflite files that `dvc repro` writes to models/"
        ) from None
    return labels, card
