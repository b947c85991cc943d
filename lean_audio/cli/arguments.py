"""The arguments of `lean-audio`, and what values they may have."""

import argparse
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lean_audio.cli.formats import FORMATS
from lean_audio.cli.inputs import STDIN
from lean_audio.cli.pcm import ENCODINGS
from lean_audio.cli.values import at_most, channel, seconds, threshold, top


def build_parser(runs: dict[str, Callable[[argparse.Namespace], int]]) -> argparse.ArgumentParser:
    """Return the parser; runs: what each command calls."""
    parser = argparse.ArgumentParser(prog="lean-audio", description="Tag sounds with a LEAN model.")
    parser.add_argument("--version", action="version", version=f"lean-audio {_version()}")
    commands = parser.add_subparsers(required=True, metavar="|".join(runs))
    says = {
        "predict": "print the labels of sounds",
        "events": "print when each label begins and ends",
        "listen": "show the labels of what a microphone hears",
        "info": "show what is inside a model file",
        "check": "compare a model's scores here with those inside it",
    }
    for name, run in runs.items():
        command = commands.add_parser(name, help=says[name])
        command.set_defaults(run=run)
        _ADDERS[name](command)
    return parser


def _add_predict(command: argparse.ArgumentParser) -> None:
    _add_inputs(command)
    _add_top(command)
    _add_threshold(command, "lowest score to print")
    _add_labels(command)
    command.add_argument(
        "--timeline",
        action="store_true",
        help="one row per chunk instead of one per clip",
    )
    command.add_argument(
        "--aggregate",
        choices=("mean", "max"),
        default="mean",
        help="of the chunks' scores, which makes the clip's; default mean, as it was measured",
    )
    command.add_argument("--plot", type=Path, metavar="PNG|DIR", help="draw the timeline")
    _add_collection(command)
    _add_raw(command)


def _add_events(command: argparse.ArgumentParser) -> None:
    _add_inputs(command)
    _add_threshold(command, "score that an event reaches; default auto")
    command.add_argument(
        "--low-threshold",
        type=threshold,
        default="auto",
        metavar="auto|X",
        help="lowest score within an event; auto: half of the threshold",
    )
    command.add_argument(
        "--min-duration", type=seconds, default=0.0, metavar="S", help="of the shortest event"
    )
    command.add_argument(
        "--max-gap", type=seconds, default=0.0, metavar="S", help="within one event"
    )
    _add_labels(command)
    _add_collection(command)
    _add_raw(command)


def _add_listen(command: argparse.ArgumentParser) -> None:
    _add_model(command)
    _add_top(command)
    _add_threshold(command, "lowest score to show")
    _add_labels(command)
    _add_hop(command)
    command.add_argument("--device", help="of `python -m sounddevice`: number or part of the name")


def _add_info(command: argparse.ArgumentParser) -> None:
    command.add_argument("model_file", type=Path, nargs="?", metavar="MODEL")


_ADDERS = {
    "predict": _add_predict,
    "events": _add_events,
    "listen": _add_listen,
    "info": _add_info,
    "check": _add_info,
}


def _add_inputs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "inputs",
        nargs="+",
        metavar="FILE|DIR|-",
        help=f"{STDIN}: standard input, raw samples (--rate) or a sound file",
    )
    _add_model(command)
    _add_hop(command)
    command.add_argument(
        "--channel",
        type=channel,
        default="mix",
        metavar="mix|split|N",
        help="the mean of the channels (default), each on its own, or only channel N",
    )
    command.add_argument("--format", choices=sorted(FORMATS), default="table")


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", type=Path, help="a .tflite file; default: the one in models/")


def _add_hop(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--hop",
        type=seconds,
        metavar="S",
        help="between the starts of chunks, at most 1; default: the model's",
    )


def _add_top(command: argparse.ArgumentParser) -> None:
    command.add_argument("--top", type=top, metavar="N|all", help="labels to print; default 5")


def _add_threshold(command: argparse.ArgumentParser, says: str) -> None:
    command.add_argument(
        "--threshold",
        type=threshold,
        metavar="auto|X",
        help=f"{says}; auto: each label's own threshold, stored in the model",
    )


def _add_labels(command: argparse.ArgumentParser) -> None:
    for option, says in (("--labels", "the only labels"), ("--exclude", "labels to leave out")):
        command.add_argument(
            option,
            action="append",
            default=[],
            metavar="NAME,...|FILE",
            help=f"{says}; a file has one per line",
        )
    command.add_argument(
        "--leaves",
        action="store_true",
        help="only the most specific label of each branch, where the model has a hierarchy",
    )


def _add_collection(command: argparse.ArgumentParser) -> None:
    command.add_argument("--jobs", type=at_most(1024), default=1, metavar="N", help="processes")
    command.add_argument(
        "--output",
        type=Path,
        metavar="FILE|DIR",
        help="of the results instead of stdout; DIR: a file per sound, for Audacity",
    )
    command.add_argument(
        "--resume", action="store_true", help="do only what is not in the --output of a killed run"
    )
    command.add_argument(
        "--skip-errors",
        action="store_true",
        help="count files that are at fault instead of failing",
    )


def _add_raw(command: argparse.ArgumentParser) -> None:
    rate = at_most(768_000)
    command.add_argument("--rate", type=rate, metavar="HZ", help="of raw samples on stdin")
    command.add_argument(
        "--channels", type=at_most(1024), default=1, help="of raw samples; default 1"
    )
    command.add_argument(
        "--encoding", choices=sorted(ENCODINGS), default="s16le", help="of raw samples"
    )


def _version() -> str:
    try:
        return version("lean-audio")
    except PackageNotFoundError:
        return "(not installed)"
