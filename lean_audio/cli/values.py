"""Values of arguments."""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lean_audio.errors import LeanError


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def at_most(limit: int) -> Callable[[str], int]:
    """Return what reads an integer from 1 to a limit."""

    def positive(text: str) -> int:
        if _positive(text) > limit:
            raise argparse.ArgumentTypeError(f"{text!r} is above {limit}")
        return int(text)

    return positive


def top(text: str) -> int | None:
    return sys.maxsize if text == "all" else _positive(text)


def channel(text: str) -> str | int:
    if text in ("mix", "split"):
        return text
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not mix, split or a channel's number from 1")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def seconds(text: str) -> float:
    if not 0 <= (value := _number(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 on")
    return value


def threshold(text: str) -> str | float:
    if text == "auto":
        return text
    if not 0 <= (value := _number(text)) <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not auto or a number from 0 to 1")
    return value


def read_names(values: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    """Return the names that --labels or --exclude name: lists with commas, or files.

    labels: of the model; a name of one is never taken for a file. Raises LeanError for a file that
    cannot be read.
    """
    names: list[str] = []
    for value in values:
        path = Path(value)
        if value not in labels and path.is_file():
            try:
                lines = path.read_text(encoding="utf-8-sig").splitlines()
            except (OSError, UnicodeDecodeError):
                raise LeanError(f"{path}: not readable as a list of labels (UTF-8 text)") from None
            names += [line.strip() for line in lines if line.strip()]
        else:
            names += [value] if value in labels else value.split(",")
    return tuple(names)
