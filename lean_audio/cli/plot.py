"""Draw one clip: its spectrogram above the scores of its strongest labels over time."""

from pathlib import Path

import numpy as np

from lean_audio.audio.decode import SAMPLE_RATE_HZ
from lean_audio.audio.spectrogram import MAX_HZ, spectrogram_db
from lean_audio.errors import LeanError
from lean_audio.files import atomic_file
from lean_audio.tagger import Span

LABELS, COLUMNS = 10, 2000  # largest numbers that the picture can show


def save_timeline(
    path: Path, samples: np.ndarray, spans: list[Span], labels: list[str], title: str
) -> None:
    """Write a PNG of a clip and the labels whose scores peak highest.

    samples: (n,) int16 at 16 kHz; spans: the clip's chunks; labels: names of the classes.
    Raises LeanError if the file cannot be written.
    """
    from matplotlib.figure import Figure

    scores = np.array([span.scores for span in spans])  # (chunks, classes)
    shown = np.argsort(-scores.max(axis=0), kind="stable")[:LABELS]
    edges = [span.start_s for span in spans] + [spans[-1].end_s]
    figure = Figure(figsize=(10, 6), layout="constrained")
    sound, activity = figure.subplots(2, 1, sharex=True)
    _draw_spectrogram(sound, samples)
    image = activity.pcolormesh(
        edges, np.arange(len(shown) + 1), scores[:, shown].T, vmin=0, vmax=1
    )
    activity.set_yticks(np.arange(len(shown)) + 0.5, [labels[index] for index in shown])
    activity.invert_yaxis()
    activity.set_xlabel("time (s)")
    figure.colorbar(image, ax=activity, label="score")
    sound.set_title(title, parse_math=False)
    for tick in activity.get_yticklabels():
        tick.set_parse_math(False)
    try:
        with atomic_file(path) as temporary:
            figure.savefig(temporary, format="png", dpi=120)
    except OSError as error:
        raise LeanError(f"--plot {path}: cannot be written ({error.strerror})") from None


def _draw_spectrogram(axes, samples: np.ndarray) -> None:
    extent = (0, len(samples) / SAMPLE_RATE_HZ, 0, MAX_HZ / 1000)
    decibels = spectrogram_db(samples, COLUMNS)
    axes.imshow(decibels, origin="lower", aspect="auto", extent=extent, cmap="magma")
    axes.set_ylabel("frequency (kHz)")
