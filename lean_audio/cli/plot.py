"""Draw one clip: its spectrogram above the scores of its strongest labels over time."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from lean_audio.audio.decode import SAMPLE_RATE_HZ
from lean_audio.audio.spectrogram import MAX_HZ, GrowingSpectrogram
from lean_audio.errors import LeanError
from lean_audio.files import atomic_file
from lean_audio.tagger import Span

LABELS, COLUMNS = 10, 2000  # largest numbers that the picture can show
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Timeline:
    """The picture of one clip, from its samples and chunks as they pass by.

    labels: names of the classes; title: above the picture, a file name for example.
    """

    def __init__(self, labels: list[str], title: str):
        self.labels, self.title = labels, title
        self._spectrogram = GrowingSpectrogram(COLUMNS)
        self._spans: list[Span] = []

    def blocks(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield blocks of samples, (n,) int16 at 16 kHz, after a look at each."""
        for block in blocks:
            self._spectrogram.add(block)
            yield block

    def spans(self, spans: Iterable[Span]) -> Iterator[Span]:
        """Yield the chunks of the clip after a look at each."""
        for span in spans:
            self._spans.append(span)
            yield span

    def save(self, path: Path) -> None:
        """Write a PNG of the clip and the labels whose scores peak highest.

        Raises LeanError if the file cannot be written.
        """
        from matplotlib.figure import Figure

        scores = np.array([span.scores for span in self._spans])  # (chunks, classes)
        shown = np.argsort(-scores.max(axis=0), kind="stable")[:LABELS]
        edges = [span.start_s for span in self._spans] + [self._spans[-1].end_s]
        figure = Figure(figsize=(10, 6), layout="constrained")
        sound, activity = figure.subplots(2, 1, sharex=True)
        _draw_spectrogram(sound, self._spectrogram)
        image = activity.pcolormesh(
            edges, np.arange(len(shown) + 1), scores[:, shown].T, vmin=0, vmax=1
        )
        names = [_drawable(self.labels[index]) for index in shown]
        activity.set_yticks(np.arange(len(shown)) + 0.5, names)
        activity.invert_yaxis()
        activity.set_xlabel("time (s)")
        figure.colorbar(image, ax=activity, label="score")
        sound.set_title(_drawable(self.title), parse_math=False)
        for tick in activity.get_yticklabels():
            tick.set_parse_math(False)
        try:
            with atomic_file(path) as temporary:
                figure.savefig(temporary, format="png", dpi=120)
        except OSError as error:
            raise LeanError(f"--plot {path}: cannot be written ({error.strerror})") from None


def _draw_spectrogram(axes, spectrogram: GrowingSpectrogram) -> None:
    extent = (0, spectrogram.samples / SAMPLE_RATE_HZ, 0, MAX_HZ / 1000)
    decibels = spectrogram.decibels()
    axes.imshow(decibels, origin="lower", aspect="auto", extent=extent, cmap="magma")
    axes.set_ylabel("frequency (kHz)")


def _drawable(text: str) -> str:
    """Replace what the font has no glyph for, and bytes that are no text."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    glyphs = get_font(findfont(FontProperties())).get_charmap()
    return "".join(letter if ord(letter) in glyphs else REPLACEMENT for letter in text)
