"""The command `lean-audio`: tag sounds with a shipped .tflite, without TensorFlow."""

import argparse
import codecs
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from lean_audio.cli.check import add_check
from lean_audio.cli.inputs import STDIN
from lean_audio.cli.output import WRITERS, print_card
from lean_audio.cli.pcm import ENCODINGS
from lean_audio.cli.predict import predict
from lean_audio.errors import LeanError, join_first
from lean_audio.tagger import Tagger
from lean_audio.tflite.card import verify_checksum

MODEL_VARIABLE = "LEAN_AUDIO_MODEL"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0: all files were tagged; 1: some could not be; 2: none could be, or the arguments are wrong;
    130: interrupted.
    """
    codecs.register_error("lean_audio", _any_name)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="lean_audio")
    chosen = _parser().parse_args(arguments)
    try:
        code = chosen.run(chosen)
        sys.stdout.flush()
    except LeanError as error:
        print(f"error: {error}", file=sys.stderr)
        code = 2
    except BrokenPipeError:  # the reader has closed the pipe, as `head` does
        code = 0
    except OSError as error:
        print(f"error: {error.strerror}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:  # how a live stream ends
        code = 130
    _flush_stdout()
    return code


def _any_name(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode what the terminal's encoding lacks: a file name may be any bytes."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


def _flush_stdout() -> None:
    """Flush stdout, or discard what cannot be written: Python would try again, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def run_predict(chosen: argparse.Namespace) -> int:
    """Tag files, directories or standard input; return the exit code."""
    return predict(Tagger(find_model(chosen.model)), chosen)


def info(chosen: argparse.Namespace) -> int:
    """Print what is inside a model file; return the exit code."""
    tagger = Tagger(find_model(chosen.model_file))
    print_card(tagger.path, tagger.labels, tagger.card, verify_checksum(tagger.path))
    return 0


def find_model(named: Path | None) -> Path:
    """Return `named`, else $LEAN_AUDIO_MODEL, else the only models/*/lean.tflite.

    Raises LeanError if none is named and there is no such file, or several.
    """
    if named or os.environ.get(MODEL_VARIABLE):
        return named or Path(os.environ[MODEL_VARIABLE])
    found = sorted(Path("models").glob("*/lean.tflite"))
    if len(found) != 1:
        several = f"there are several ({join_first(found)})"
        seen = several if found else "there is no models/*/lean.tflite here"
        raise LeanError(f"no model is named and {seen}: set --model or {MODEL_VARIABLE}")
    return found[0]


def _version() -> str:
    try:
        return version("lean-audio")
    except PackageNotFoundError:
        return "(not installed)"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lean-audio", description="Tag sounds with a LEAN model.")
    parser.add_argument("--version", action="version", version=f"lean-audio {_version()}")
    commands = parser.add_subparsers(required=True, metavar="predict|info|check")
    tag = commands.add_parser("predict", help="print the labels of sounds")
    tag.set_defaults(run=run_predict)
    tag.add_argument(
        "inputs",
        nargs="+",
        metavar="FILE|DIR|-",
        help=f"{STDIN}: standard input, raw samples (--rate) or a sound file",
    )
    tag.add_argument("--model", type=Path, help="a .tflite file; default: the one in models/")
    tag.add_argument("--top", type=_top, metavar="N|all", help="labels to print; default 5")
    tag.add_argument(
        "--threshold",
        type=_threshold,
        metavar="auto|X",
        help="lowest score to print; auto: each label's own threshold, stored in the model",
    )
    tag.add_argument(
        "--timeline",
        action="store_true",
        help="one row per chunk instead of one per clip",
    )
    tag.add_argument(
        "--aggregate",
        choices=("mean", "max"),
        default="mean",
        help="of the chunks' scores, which makes the clip's; default mean, as it was measured",
    )
    tag.add_argument(
        "--channel",
        type=_channel,
        default="mix",
        metavar="mix|split|N",
        help="the mean of the channels (default), each on its own, or only channel N",
    )
    tag.add_argument("--plot", type=Path, metavar="PNG|DIR", help="draw the timeline")
    tag.add_argument("--format", choices=sorted(WRITERS), default="table")
    tag.add_argument("--rate", type=_at_most(768_000), metavar="HZ", help="of raw samples on stdin")
    tag.add_argument("--channels", type=_at_most(1024), default=1, help="of raw samples; default 1")
    tag.add_argument(
        "--encoding", choices=sorted(ENCODINGS), default="s16le", help="of raw samples"
    )
    show = commands.add_parser("info", help="show what is inside a model file")
    show.set_defaults(run=info)
    show.add_argument("model_file", type=Path, nargs="?", metavar="MODEL")
    add_check(commands, find_model)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _at_most(limit: int) -> Callable[[str], int]:
    def positive(text: str) -> int:
        if _positive(text) > limit:
            raise argparse.ArgumentTypeError(f"{text!r} is above {limit}")
        return int(text)

    return positive


def _top(text: str) -> int | None:
    return sys.maxsize if text == "all" else _positive(text)


def _channel(text: str) -> str | int:
    if text in ("mix", "split"):
        return text
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not mix, split or a channel's number from 1")
    return int(text)


def _threshold(text: str) -> str | float:
    if text == "auto":
        return text
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not auto or a number from 0 to 1")
    return value
