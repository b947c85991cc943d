"""The command `lean-audio`: tag sounds with a shipped .tflite, without TensorFlow."""

import argparse
import codecs
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lean_audio.cli.arguments import build_parser
from lean_audio.cli.check import check
from lean_audio.cli.collection import Settings
from lean_audio.cli.formats import Kind
from lean_audio.cli.listen import load_sounddevice, open_microphone, show
from lean_audio.cli.output import print_card
from lean_audio.cli.predict import Pcm, tag
from lean_audio.cli.values import read_names
from lean_audio.cli.work import Options, Work
from lean_audio.errors import LeanError, join_first
from lean_audio.tagger import Tagger
from lean_audio.tflite.card import read_card, verify_checksum

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
    chosen = build_parser(RUNS).parse_args(arguments)
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
    kind = "timeline" if chosen.timeline else "clips"
    options = replace(_options(chosen, kind), top=chosen.top, aggregate=chosen.aggregate)
    return tag(options, chosen.inputs, chosen.plot, _settings(chosen), _pcm(chosen))


def run_events(chosen: argparse.Namespace) -> int:
    """Find the events of files, directories or standard input; return the exit code."""
    options = replace(
        _options(chosen, "events"),
        low_threshold=chosen.low_threshold,
        min_duration_s=chosen.min_duration,
        max_gap_s=chosen.max_gap,
    )
    return tag(options, chosen.inputs, None, _settings(chosen), _pcm(chosen))


def run_listen(chosen: argparse.Namespace) -> int:
    """Show the labels of what a microphone hears, until Ctrl-C; return the exit code."""
    library = load_sounddevice()
    work = Work(replace(_options(chosen, "timeline"), top=chosen.top))
    with open_microphone(library, chosen.device) as (blocks, rate_hz):
        spans = work.tagger.stream(blocks, rate_hz=rate_hz, hop_s=chosen.hop)
        show(spans, work.rows, sys.stdout)
    return 0


def _options(chosen: argparse.Namespace, kind: Kind) -> Options:
    """Return the options that all commands have. Raises LeanError if there is no such model."""
    model = find_model(chosen.model)
    labels = read_card(model)[0] if chosen.labels or chosen.exclude else []
    return Options(
        model,
        kind,
        getattr(chosen, "format", "table"),
        threshold=chosen.threshold,
        hop_s=chosen.hop,
        channel=getattr(chosen, "channel", "mix"),
        labels=read_names(chosen.labels, labels),
        exclude=read_names(chosen.exclude, labels),
        leaves=chosen.leaves,
    )


def _settings(chosen: argparse.Namespace) -> Settings:
    if chosen.resume and not chosen.output:
        raise LeanError("--resume needs --output: it goes on with what is in that file")
    return Settings(chosen.jobs, chosen.output, chosen.resume, chosen.skip_errors)


def _pcm(chosen: argparse.Namespace) -> Pcm:
    return Pcm(chosen.rate, chosen.channels, chosen.encoding)


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


def run_check(chosen: argparse.Namespace) -> int:
    """Compare the scores of a model file on this runtime with those inside it."""
    return check(find_model(chosen.model_file))


RUNS = {
    "predict": run_predict,
    "events": run_events,
    "listen": run_listen,
    "info": info,
    "check": run_check,
}
