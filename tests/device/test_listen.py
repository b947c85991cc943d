"""`lean-audio listen`, from where samples arrive: an object stands in for the sound card."""

import io
import sys
from itertools import islice

import numpy as np
import pytest
from command_line import lean_audio
from device_models import LABELS

from lean_audio.cli.formats import Tags
from lean_audio.cli.listen import BAR, bars, open_microphone, show
from lean_audio.cli.writers import Rows
from lean_audio.errors import LeanError
from lean_audio.tagger import Tagger, choose

RATE_HZ = 48_000


class SoundCard:
    """Calls back with noise, as sounddevice does: in blocks of (n, 1) float32 that it reuses."""

    class PortAudioError(Exception):
        pass

    def __init__(self, blocks: int):
        self.blocks, self.opened = blocks, {}

    def query_devices(self, device: object, kind: str) -> dict[str, float]:
        if device not in (None, 3, "USB"):
            raise ValueError(f"No {kind} device matching {device!r}")
        return {"default_samplerate": float(RATE_HZ)}

    def InputStream(self, **settings):  # noqa: N802
        self.opened = settings
        return self

    def __enter__(self):
        buffer = np.empty((self.opened["blocksize"], 1), np.float32)
        rng = np.random.default_rng(0)
        for _ in range(self.blocks):
            buffer[:] = rng.normal(0, 0.1, buffer.shape)
            self.opened["callback"](buffer, len(buffer), None, None)
        buffer[:] = np.nan  # what is kept must be a copy
        return self

    def __exit__(self, *_):
        self.opened = {}


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def rows_of(tagger: Tagger, top: int | None = 3) -> Rows:
    return Rows(choose(tagger.labels), tagger.thresholds, top, None)


@pytest.mark.parametrize("device", [None, "3", "USB"])
def test_what_the_microphone_hears_is_shown_chunk_by_chunk(shipped, device):
    tagger, card, screen = Tagger(shipped), SoundCard(31), io.StringIO()
    with open_microphone(card, device) as (blocks, rate_hz):
        opened = card.opened
        spans = list(tagger.stream(islice(blocks, 31), rate_hz=rate_hz))
    assert opened["device"] == (3 if device == "3" else device)
    assert (opened["samplerate"], opened["channels"], opened["dtype"]) == (RATE_HZ, 1, "float32")
    assert [span.start_s for span in spans[:5]] == [0.0, 0.5, 1.0, 1.5, 2.0]
    show(spans, rows_of(tagger), screen)
    lines = screen.getvalue().splitlines()
    assert lines[0].startswith("    0.00 -     1.00 s  Sound_")
    assert len(lines) == len(spans)


def test_on_a_terminal_bars_stay_in_one_place(shipped):
    tagger, screen = Tagger(shipped), Terminal()
    loud = np.random.default_rng(0).normal(0, 0.1, 24_000)
    spans = list(tagger.stream([np.concatenate([loud, np.zeros(32_000)])], rate_hz=16_000))
    show(spans, rows_of(tagger), screen)
    drawn = screen.getvalue()
    assert drawn.count("\x1b[4A") == len(spans) - 1  # the time and three labels
    assert drawn.count("\n") == 4 * len(spans)
    assert "\N{FULL BLOCK}" in drawn and "(silent)" in drawn
    screen = Terminal()
    screen.encoding = "ascii"
    show(spans[:1], rows_of(tagger, None), screen)
    assert "#" in screen.getvalue() and screen.getvalue().isascii()
    assert all(label in LABELS for label in screen.getvalue().split() if "Sound" in label)


def test_a_bar_is_as_long_as_its_score():
    tags = Tags(0.0, 1.0, False, (("Dog", 1.0), ("Church_bell", 0.5), ("Rain", 0.0)))
    assert bars(tags, 4, "#") == [
        f"  Dog          1.000  {'#' * BAR}",
        f"  Church_bell  0.500  {'#' * (BAR // 2)}",
        "  Rain         0.000  ",
        "",
    ]
    assert bars(Tags(0.0, 1.0, False, ()), 2, "#") == ["  (none)", ""]


def test_a_slow_model_loses_sound_and_not_memory(shipped):
    with open_microphone(SoundCard(500), None) as (blocks, _):
        assert len(list(islice(blocks, 100))) == 100  # the rest came too fast


def test_a_device_that_is_not_there_is_one_sentence():
    with (
        pytest.raises(LeanError, match=r"no microphone can be opened \(No input device matching"),
        open_microphone(SoundCard(0), "Bluetooth"),
    ):
        pass


def test_a_device_that_does_not_start_is_one_sentence():
    class Busy(SoundCard):
        def __enter__(self):
            raise self.PortAudioError("Device unavailable")

    with (
        pytest.raises(LeanError, match=r"no microphone can be opened \(Device unavailable\)"),
        open_microphone(Busy(0), None),
    ):
        pass


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("raise ImportError", "listening needs the package sounddevice: pip install"),
        ("raise OSError('PortAudio library not found')", "needs the library PortAudio: install it"),
    ],
)
def test_what_is_missing_is_one_sentence(
    capsysbinary, shipped, tmp_path, monkeypatch, module, says
):
    (tmp_path / "sounddevice.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    complaint = lean_audio(capsysbinary, "listen", "--model", shipped, code=2).complaint
    assert says in complaint and complaint.count("\n") == 1
