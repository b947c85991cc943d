"""How far a collection of sounds is: one line on the terminal, and sentences on single files."""

import sys
import time
from datetime import timedelta

INTERVAL_S = 0.5  # between two states of the line


class Progress:
    """A line on stderr with the rate and the time left, where stderr is a terminal.

    total: number of files. shown: whether there is a line at all.
    """

    def __init__(self, total: int, shown: bool):
        self.total = total
        self.shown = shown and sys.stderr is not None and sys.stderr.isatty()
        self.files, self.sound_s = 0, 0.0
        self._start_s, self._next_s, self._length = time.monotonic(), 0.0, 0

    def tick(self, file_s: float) -> None:
        """Count in the seconds that are done of the sound under way."""
        if self.shown and time.monotonic() >= self._next_s:
            self._show(self.sound_s + file_s)

    def count(self, length_s: float) -> None:
        """Count in a sound that is done."""
        self.files, self.sound_s = self.files + 1, self.sound_s + length_s
        self.tick(0.0)

    def erase(self) -> None:
        """Clear the line, so that something else can be written there."""
        if self._length:
            print(f"\r{' ' * self._length}\r", end="", file=sys.stderr, flush=True)
            self._length = 0

    def warn(self, sentence: str) -> None:
        """Print a remark on what is used all the same."""
        self.erase()
        print(f"warning: {sentence}", file=sys.stderr)

    def complain(self, sentence: str) -> None:
        """Print what is wrong with what cannot be used."""
        self.erase()
        print(f"error: {sentence}", file=sys.stderr)

    def _show(self, sound_s: float) -> None:
        now_s = time.monotonic()
        line = progress_line(self.files, self.total, sound_s, now_s - self._start_s)
        self.erase()
        print(f"\r{line}", end="", file=sys.stderr, flush=True)
        self._next_s, self._length = now_s + INTERVAL_S, len(line)


def progress_line(files: int, total: int, sound_s: float, elapsed_s: float) -> str:
    """Return how far the work is; the time left follows from the number of files alone."""
    elapsed_s = max(elapsed_s, 1e-3)
    line = f"{files:,} of {total:,} files, {sound_s / elapsed_s:,.0f} x real time"
    if not files:
        return line
    left = timedelta(seconds=round(elapsed_s / files * (total - files)))
    return f"{line}, {files / elapsed_s:,.1f} files/s, {left} left"
