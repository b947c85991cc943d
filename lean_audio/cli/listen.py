"""`lean-audio listen`: the most likely labels of what a microphone hears, with bars."""

import queue
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TextIO

import numpy as np

from lean_audio.cli.formats import Source, Table, Tags
from lean_audio.cli.writers import Rows
from lean_audio.errors import LeanError
from lean_audio.tagger import Span

BAR = 30  # characters of a bar for the score 1
MAX_BARS = 20
BLOCK_S = 0.1
MAX_BLOCKS = 100  # that wait for a model slower than the sound; later ones are lost
_UP, _CLEAR = "\x1b[{}A", "\x1b[K"
INSTALL = "pip install 'lean-audio[listen]', or pip install sounddevice"


def load_sounddevice() -> Any:
    """Import the library that records. Raises LeanError where it is not installed or incomplete."""
    try:
        import sounddevice
    except ImportError:
        raise LeanError(f"listening needs the package sounddevice: {INSTALL}") from None
    except OSError:
        raise LeanError(
            "listening needs the library PortAudio: install it (Debian, Ubuntu: apt install "
            "libportaudio2)"
        ) from None
    return sounddevice


@contextmanager
def open_microphone(library: Any, device: str | None) -> Iterator[tuple[Iterator[np.ndarray], int]]:
    """Record: yield blocks of samples, (n, channels) float32 each, and their rate in Hz.

    library: sounddevice; device: number or part of the name of an input, None for the default.
    Raises LeanError if it cannot be opened.
    """
    chosen = int(device) if device and device.isdecimal() else device
    blocks: queue.Queue[np.ndarray] = queue.Queue(MAX_BLOCKS)

    def receive(samples: np.ndarray, *_: object) -> None:
        with suppress(queue.Full):
            blocks.put_nowait(samples.copy())

    with ExitStack() as opened:
        try:
            rate_hz = round(library.query_devices(chosen, "input")["default_samplerate"])
            stream = library.InputStream(
                samplerate=rate_hz,
                blocksize=round(BLOCK_S * rate_hz),
                device=chosen,
                channels=1,
                dtype="float32",
                callback=receive,
            )
            opened.enter_context(stream)  # which starts it, and can fail too
        except (library.PortAudioError, ValueError) as error:
            raise LeanError(
                f"no microphone can be opened ({' '.join(str(error).split())}); `python -m "
                "sounddevice` lists the devices for --device"
            ) from None
        yield _taken(blocks), rate_hz


def _taken(blocks: "queue.Queue[np.ndarray]") -> Iterator[np.ndarray]:
    """Yield what is put into a queue, for ever; some systems heed Ctrl-C only between waits."""
    while True:
        with suppress(queue.Empty):
            yield blocks.get(timeout=1.0)


def show(spans: Iterable[Span], rows: Rows, screen: TextIO) -> None:
    """Show each chunk's labels: on a terminal bars in one place, elsewhere a line per chunk."""
    drawn, table = 0, Table("timeline")
    lines_shown = min(rows.top, len(rows.choice.names), MAX_BARS)
    for span in spans:
        tags = rows.of(span)
        if screen.isatty():
            lines = [f"{tags.end_s:9.1f} s", *bars(tags, lines_shown, _block(screen))]
            up = _UP.format(drawn) if drawn else ""
            screen.write(up + "".join(f"{line}{_CLEAR}\n" for line in lines))
            drawn = len(lines)
        else:
            screen.write(table.tags(Source("microphone"), tags))
        screen.flush()


def bars(tags: Tags, lines: int, block: str) -> list[str]:
    """Return one line per label, filled up with empty ones to a number of lines."""
    width = max((len(label) for label, _ in tags.scores), default=0)
    shown = [
        f"  {label:{width}}  {score:.3f}  {block * round(score * BAR)}"
        for label, score in tags.scores
    ]
    none = ["  (silent)" if tags.silent else "  (none)"] if not shown else []
    return [*shown, *none, *[""] * lines][: max(lines, 1)]


def _block(screen: TextIO) -> str:
    """Return the character that bars consist of."""
    try:
        "\N{FULL BLOCK}".encode(screen.encoding or "ascii")
    except UnicodeEncodeError:
        return "#"
    return "\N{FULL BLOCK}"
