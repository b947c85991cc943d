"""`lean-audio predict`: one source after another, each in constant memory."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lean_audio.audio.faults import BadClipError, DiskError
from lean_audio.audio.opening import count_channels
from lean_audio.cli.inputs import STDIN, Joined, copied, find_files, open_stdin, readable
from lean_audio.cli.output import WRITERS, Rows
from lean_audio.cli.pcm import read_pcm
from lean_audio.errors import LeanError
from lean_audio.tagger import Span, Summary, Tagger

PICTURE_SUFFIX = ".png"


def predict(tagger: Tagger, chosen: argparse.Namespace) -> int:
    """Tag files, directories or standard input; return the exit code."""
    rows = Rows(tagger, chosen.top, chosen.threshold)
    if chosen.inputs == [STDIN]:
        return _predict_stdin(tagger, rows, chosen)
    found = find_files(chosen.inputs)
    pictures = plot_targets(chosen.plot, found.files)
    writer = WRITERS[chosen.format](rows, chosen.timeline, chosen.channel == "split")
    for remark in found.remarks:
        warn(remark)
    for fault in found.faults:
        complain(fault)
    failed = len(found.faults)
    for file in found.files:
        try:
            _predict_file(tagger, writer, chosen, file, pictures.get(file))
        except BadClipError as error:
            complain(f"{file}: {error}")
            failed += 1
        except DiskError as error:
            complain(str(error))
            failed += 1
    total = len(found.files) + len(found.faults)
    return 0 if not failed else 1 if failed < total else 2


def warn(sentence: str) -> None:
    """Print a remark on what is used all the same."""
    print(f"warning: {sentence}", file=sys.stderr)


def complain(sentence: str) -> None:
    """Print what is wrong with what cannot be used."""
    print(f"error: {sentence}", file=sys.stderr)


def _predict_file(
    tagger: Tagger, writer, chosen: argparse.Namespace, file: Path, picture: Path | None
) -> None:
    """Tag one file. Raises BadClipError or DiskError if it cannot be used."""
    said = set[str]()

    def note(remark: str) -> None:
        if remark not in said:
            warn(f"{file}: {remark}")
        said.add(remark)

    with readable(file) as path:
        for channel in _channels(path, chosen.channel):
            writer.channel = channel
            blocks = tagger.file_blocks(path, channel=channel, note=note)
            if picture:
                from lean_audio.cli.plot import Timeline

                timeline = Timeline(tagger.labels, title=file.name)
                spans = timeline.spans(tagger.stream(timeline.blocks(blocks)))
                _write(str(file), spans, writer, chosen)
                timeline.save(_of_channel(picture, channel, chosen.channel))
            else:
                _write(str(file), tagger.stream(blocks), writer, chosen)


def _channels(path: Path, wanted: str | int) -> Sequence[int | None]:
    """Return the channels to tag one by one; None is the mean of all."""
    if wanted == "split":
        return range(1, count_channels(path) + 1)
    return [None if wanted == "mix" else int(wanted)]


def _of_channel(picture: Path, channel: int | None, wanted: str | int) -> Path:
    return picture.with_suffix(f".{channel}{PICTURE_SUFFIX}") if wanted == "split" else picture


def _write(
    source: str,
    spans: Iterable[Span],
    writer,
    chosen: argparse.Namespace,
    *,
    live: bool = False,
) -> None:
    """Write the chunks of one source as they are scored, if they are wanted, and then the clip.

    live: a source that may never end, so tables show its chunks too; if it ends with an error, what
    came before that is summed up first.
    """
    summary = Summary(chosen.aggregate)
    try:
        for span in spans:
            if not summary.chunks and chosen.timeline and not live:
                writer.start(source)
            if chosen.timeline or live:
                writer.span(source, span)
            summary.add(span)
    except LeanError:
        if live and summary.chunks and not chosen.timeline:
            writer.clip(source, summary.clip())
        raise
    if not summary.chunks:
        raise LeanError(f"{source}: no samples on standard input")
    if not chosen.timeline:
        writer.clip(source, summary.clip())


def _predict_stdin(tagger: Tagger, rows: Rows, chosen: argparse.Namespace) -> int:
    """Tag a sound file or raw samples on standard input; return the exit code."""
    if chosen.plot:
        raise LeanError("-: --plot is for files, not for standard input")
    source, is_file = open_stdin(raw=bool(chosen.rate))
    writer = WRITERS[chosen.format](rows, chosen.timeline, chosen.channel == "split")
    if not is_file:
        return _predict_raw(tagger, writer, source, chosen)
    with copied(source) as path:
        try:
            for channel in _channels(path, chosen.channel):
                writer.channel = channel
                spans = tagger.file_spans(
                    path, channel=channel, note=lambda remark: warn(f"-: {remark}")
                )
                _write(STDIN, spans, writer, chosen)
        except BadClipError as error:
            raise LeanError(f"-: {error}") from None
    return 0


def _predict_raw(tagger: Tagger, writer, source: Joined, chosen: argparse.Namespace) -> int:
    """Print each chunk once it is complete; memory does not grow with the length of the stream."""
    if not chosen.rate:
        raise LeanError("-: raw samples on standard input need --rate, in Hz, for example 16000")
    if chosen.channel == "split":
        raise LeanError("-: --channel split is for files; name one channel of a stream")
    (channel,) = _channels(Path(STDIN), chosen.channel)
    faults: list[str] = []
    blocks = read_pcm(
        source,
        rate_hz=chosen.rate,
        channels=chosen.channels,
        encoding=chosen.encoding,
        resampler=tagger.card["resampler"],
        block_s=tagger.card["hop_s"],
        channel=channel,
        fault=faults.append,
    )
    _write(STDIN, tagger.stream(blocks), writer, chosen, live=True)
    for fault in faults:
        complain(f"-: {fault}")
    return 1 if faults else 0


def plot_targets(target: Path | None, files: Sequence[Path]) -> dict[Path, Path]:
    """Map each file to its picture: `target` itself, or <file>.png in the directory `target`.

    Raises LeanError if `target` names neither a .png nor a directory, if several files would share
    one picture, or if a picture would replace one of the files.
    """
    if not target:
        return {}
    if not target.suffix or target.is_dir():
        pictures = {file: target / f"{file.name}{PICTURE_SUFFIX}" for file in files}
    elif target.suffix.lower() != PICTURE_SUFFIX:
        raise LeanError(f"--plot {target}: a picture is a .png file; name one, or a directory")
    elif len(files) > 1:
        raise LeanError(f"--plot {target}: there are {len(files)} files; name a directory instead")
    else:
        pictures = dict.fromkeys(files, target)
    if len(set(pictures.values())) < len(pictures):
        raise LeanError(f"--plot {target}: some files have the same name; plot them one by one")
    for picture in _existing(pictures.values()):
        if any(file.exists() and picture.samefile(file) for file in files):
            raise LeanError(f"--plot {target}: {picture} is one of the sounds")
    return pictures


def _existing(paths: Iterable[Path]) -> Iterator[Path]:
    return (path for path in paths if path.exists())
