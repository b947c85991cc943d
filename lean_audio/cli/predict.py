"""`lean-audio predict` and `lean-audio events`: files, directories, or standard input."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lean_audio.cli.collection import Screen, Settings, tag_files
from lean_audio.cli.formats import Source
from lean_audio.cli.inputs import STDIN, Joined, copied, find_files, open_stdin
from lean_audio.cli.pcm import read_pcm
from lean_audio.cli.progress import Progress
from lean_audio.cli.work import PICTURE_SUFFIX, Options, Work
from lean_audio.errors import LeanError


@dataclass(frozen=True)
class Pcm:
    """Raw samples on standard input; rate_hz: None if a sound file comes instead."""

    rate_hz: int | None = None
    channels: int = 1
    encoding: str = "s16le"


def tag(
    options: Options, inputs: Sequence[str], plot: Path | None, settings: Settings, pcm: Pcm
) -> int:
    """Tag files, directories or standard input; return the exit code."""
    if list(inputs) == [STDIN]:
        _check_stdin(plot, settings)
        return _tag_stdin(Work(options), pcm)
    found = find_files(inputs)
    files = list(dict.fromkeys(found.files)) if settings.output else found.files
    work = Work(replace(options, pictures=plot_targets(plot, files)))
    talk = Progress(0, shown=False)
    for remark in found.remarks:
        talk.warn(remark)
    for fault in found.faults:
        talk.complain(fault)
    failed = tag_files(work, files, settings)
    total = len(files) + len(found.faults)
    if settings.skip_errors:
        failed = 0
    failed += len(found.faults)
    return 0 if not failed else 1 if failed < total else 2


def _check_stdin(plot: Path | None, settings: Settings) -> None:
    if plot:
        raise LeanError("-: --plot is for files, not for standard input")
    if settings != Settings():
        raise LeanError(
            "-: --jobs, --output, --resume and --skip-errors are for files, not for standard input"
        )


def _tag_stdin(work: Work, pcm: Pcm) -> int:
    """Tag a sound file or raw samples on standard input; return the exit code."""
    source, is_file = open_stdin(raw=bool(pcm.rate_hz))
    talk = Progress(1, shown=False)
    screen = Screen(work.format, talk)
    if not is_file:
        return _tag_raw(work, source, pcm, screen)
    with copied(source) as path:
        outcome = work.file(path, screen.emit, name=STDIN)
    for remark in outcome.remarks:
        talk.warn(remark)
    if outcome.fault:
        raise LeanError(outcome.fault)
    return 0


def _tag_raw(work: Work, source: Joined, pcm: Pcm, screen: Screen) -> int:
    """Print each chunk once it is complete; memory does not grow with the length of the stream."""
    if not pcm.rate_hz:
        raise LeanError("-: raw samples on standard input need --rate, in Hz, for example 16000")
    channel = work.options.channel
    if channel == "split":
        raise LeanError("-: --channel split is for files; name one channel of a stream")
    faults: list[str] = []
    blocks = read_pcm(
        source,
        rate_hz=pcm.rate_hz,
        channels=pcm.channels,
        encoding=pcm.encoding,
        resampler=work.tagger.card["resampler"],
        block_s=work.hop_s,
        channel=None if channel == "mix" else channel,
        fault=faults.append,
    )
    work.write(Source(STDIN), work.score(blocks), screen.emit, live=True)
    for fault in faults:
        screen.progress.complain(f"-: {fault}")
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
