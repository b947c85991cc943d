"""The errors a user can cause, and how a stage ends on one."""

import gc
import sys
from collections.abc import Callable, Iterable


class LeanError(Exception):
    """One sentence for the user: the thing, its value, and what is allowed."""


class BadInputError(LeanError):
    """The input has to change before a run can succeed: nothing of this one is kept."""


def listed(values: Iterable[object], most: int = 5) -> str:
    """The first few values, comma-joined, and how many more there are."""
    shown = [str(value) for value in values]
    rest = len(shown) - most
    return ", ".join(shown[:most]) + (f" and {rest} more" if rest > 0 else "")


def run_stage(main: Callable[..., None], *arguments: str) -> None:
    """Call a stage's `main`; turn a LeanError into its sentence on stderr and exit code 1.

    What is imported by now is never searched for garbage again, not as the process ends either.
    """
    gc.freeze()
    gc.enable()
    try:
        main(*arguments)
    except LeanError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
