"""The command `lean-audio`: tag sounds with a shipped .tflite, without TensorFlow."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from lean_audio.audio.decode import SUFFIXES, BadClipError, read_clip
from lean_audio.cli.output import WRITERS, Result, Rows, print_card
from lean_audio.cli.pcm import ENCODINGS, read_pcm
from lean_audio.errors import LeanError, join_first
from lean_audio.tagger import Span, Tagger, clip_scores

MODEL_VARIABLE = "LEAN_AUDIO_MODEL"
STDIN = "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0: all files were tagged; 1: some could not be; 2: none could be, or the arguments are wrong;
    130: interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")  # a file name may be any bytes
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


def _flush_stdout() -> None:
    """Flush stdout, or discard what cannot be written: Python would try again, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def predict(chosen: argparse.Namespace) -> int:
    """Tag files, directories or standard input; return the exit code."""
    tagger = Tagger(find_model(chosen.model))
    rows = Rows(tagger, chosen.top, chosen.threshold)
    writer = WRITERS[chosen.format](rows, chosen.timeline)
    if chosen.inputs == [STDIN]:
        return _predict_stream(tagger, writer, chosen)
    files = list(find_files(chosen.inputs))
    pictures = plot_targets(chosen.plot, files)
    failed = 0
    for file in files:
        try:
            samples = read_clip(file, tagger.card["resampler"])
        except BadClipError as error:
            print(f"error: {file}: {error}", file=sys.stderr)
            failed += 1
            continue
        spans = list(tagger.spans(samples))
        writer.clip(Result(str(file), spans, clip_scores(spans)))
        if file in pictures:
            from lean_audio.cli.plot import save_timeline

            save_timeline(pictures[file], samples, spans, tagger.labels, title=file.name)
    return 0 if not failed else 1 if failed < len(files) else 2


def _predict_stream(tagger: Tagger, writer, chosen: argparse.Namespace) -> int:
    """Print each chunk once it is complete; memory does not grow with the length of the stream."""
    if chosen.plot:
        raise LeanError("-: --plot is for files, not for standard input")
    if sys.stdin is None:
        raise LeanError("-: standard input is closed")
    if not chosen.rate:
        raise LeanError("-: raw samples on standard input need --rate, in Hz, for example 16000")
    blocks = read_pcm(
        sys.stdin.buffer,
        rate_hz=chosen.rate,
        channels=chosen.channels,
        encoding=chosen.encoding,
        resampler=tagger.card["resampler"],
        block_s=tagger.card["hop_s"],
    )
    total, count = np.zeros(len(tagger.labels)), 0
    last: Span | None = None
    for span in tagger.stream(blocks):
        writer.span(STDIN, span)
        total, count, last = total + span.scores, count + 1, span
    if last is None:
        raise LeanError("-: no samples on standard input")
    if not chosen.timeline:
        mean = (total / count).astype(np.float32)
        writer.clip(Result(STDIN, [Span(0.0, last.end_s, mean)], mean))
    return 0


def plot_targets(target: Path | None, files: Sequence[Path]) -> dict[Path, Path]:
    """Map each file to its picture: `target` itself, or <file>.png in the directory `target`.

    Raises LeanError if several files would share one picture.
    """
    if not target:
        return {}
    if len(files) == 1 and target.suffix and not target.is_dir():
        return {files[0]: target}
    if target.suffix and not target.is_dir():
        raise LeanError(f"--plot {target}: there are {len(files)} files; name a directory instead")
    pictures = {file: target / f"{file.name}.png" for file in files}
    if len(set(pictures.values())) < len(pictures):
        raise LeanError(f"--plot {target}: some files have the same name; plot them one by one")
    return pictures


def info(chosen: argparse.Namespace) -> int:
    """Print what is inside a model file; return the exit code."""
    tagger = Tagger(find_model(chosen.model_file))
    print_card(tagger.path, tagger.labels, tagger.card)
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


def find_files(inputs: Sequence[str]) -> Iterator[Path]:
    """Yield the files named, and the sound files of each directory named, sorted.

    Raises LeanError for a directory without sound files.
    """
    for name in inputs:
        if name == STDIN:
            raise LeanError("-: standard input cannot be mixed with files")
        path = Path(name)
        if not path.is_dir():
            yield path
            continue
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        if not found:
            raise LeanError(
                f"{path}: no sound in this directory ({join_first(sorted(SUFFIXES), 40)})"
            )
        yield from found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lean-audio", description="Tag sounds with a LEAN model.")
    commands = parser.add_subparsers(required=True, metavar="predict|info")
    tag = commands.add_parser("predict", help="print the labels of sounds")
    tag.set_defaults(run=predict)
    tag.add_argument("inputs", nargs="+", metavar="FILE|DIR|-", help="-: raw samples on stdin")
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
