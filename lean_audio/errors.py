"""The errors a user can cause."""

from collections.abc import Iterable


class LeanError(Exception):
    """One sentence for the user: the thing, its value, and what is allowed."""


class BadInputError(LeanError):
    """The input must change before a run can succeed: nothing of this run is kept."""


def join_first(values: Iterable[object], limit: int = 5) -> str:
    """Join the first values with commas and say how many more there are."""
    shown = [str(value) for value in values]
    rest = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {rest} more" if rest > 0 else "")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is 1."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
