"""What people see while the work goes on: progress bars, and no internals of other libraries."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line does without tqdm
    from tqdm import tqdm

LOG_INTERVAL_S = 60.0  # between the lines of a bar where the output is no terminal
_bars: "list[tqdm]" = []


def _bar_settings() -> dict[str, Any]:
    """Return tqdm's settings: on a terminal a lively bar, elsewhere at most one line per minute."""
    if sys.stderr.isatty():
        return {"leave": False}
    seconds = dict.fromkeys(("delay", "mininterval", "maxinterval"), LOG_INTERVAL_S)
    return {"leave": False, "file": _Log(), **seconds}


class _Log:
    """Writes what a bar shows as lines of their own."""

    def write(self, text: str) -> None:
        if line := text.strip():
            print(line, file=sys.stderr)

    def flush(self) -> None:
        sys.stderr.flush()


def progress(work: Iterable | None, title: str, total: int | None = None, **more: Any) -> "tqdm":
    """Return `work` with a progress bar; without work, a bar to update by hand.

    more: of tqdm, for example the unit.
    """
    from tqdm import tqdm

    _bars.append(tqdm(work, title, total, **_bar_settings(), **more))
    return _bars[-1]


def close_bars() -> None:
    """Erase the bars that an error left, so that its sentence has a line of its own."""
    while _bars:
        _bars.pop().close()


def say(line: str) -> None:
    """Print a line to stderr, above the bars that are open."""
    from tqdm import tqdm

    if sys.stderr.isatty():
        tqdm.write(line, sys.stderr)
    else:
        print(line, file=sys.stderr)


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard what native libraries print to the process's standard error."""
    if sys.stderr is None:  # the descriptor is closed, or belongs to another file
        yield
        return
    sys.stderr.flush()
    saved, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nothing)
