"""Many sounds, one after the other or on several processes, with the same text in the same order.

A sound that is at fault never ends a run; neither does one that kills the process that scores it.
"""

import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from lean_audio.cli.formats import Format, Position
from lean_audio.cli.inputs import check_target, is_descriptor
from lean_audio.cli.journal import OutputFile, OutputFolder
from lean_audio.cli.progress import Progress
from lean_audio.cli.work import Options, Outcome, Work
from lean_audio.errors import LeanError, counted, join_first
from lean_audio.files import sha256
from lean_audio.parallel.pool import end_with_parent

AHEAD = 4  # files that wait for each process, so that none is idle

Done = tuple[int, Outcome]  # number of the file among those to score


@dataclass(frozen=True)
class Settings:
    """How a collection is worked off.

    jobs: processes; output: file or directory of results, None for stdout; resume: go on with what
    is in it; skip_errors: pass over sounds that are at fault, which is then no failure.
    """

    jobs: int = 1
    output: Path | None = None
    resume: bool = False
    skip_errors: bool = False


class Screen:
    """Writes results to stdout, as soon as they are there."""

    def __init__(self, shape: Format, progress: Progress):
        self.format, self.progress, self.position = shape, progress, Position()
        self.done: dict[str, str] = {}
        self.early: dict[str, Outcome] = {}
        self._write(shape.header())

    def emit(self, text: str) -> None:
        text, rows = self.format.place(text, self.position)
        self.position = self.position.after(rows, 0.0)
        self._write(text)

    def _write(self, text: str) -> None:
        self.progress.erase()
        sys.stdout.write(text)
        sys.stdout.flush()

    def keep(self, outcome: Outcome) -> None:
        """Do nothing: an outcome whose turn has not come is kept by whoever waits for it."""

    def place(self, outcome: Outcome) -> None:
        if outcome.text:
            self.emit(outcome.text)
        self.position = self.position.after(0, outcome.length_s)

    def close(self) -> None:
        """Do nothing."""


Sink = Screen | OutputFile | OutputFolder


def tag_files(work: Work, files: Sequence[Path], settings: Settings) -> int:
    """Score files and write the results; return how many of them are at fault.

    Raises LeanError if the results cannot be written, or their file does not fit the settings.
    """
    shown = bool(settings.output) or not sys.stdout.isatty()
    progress = Progress(len(files), shown)
    sink = open_sink(work, files, settings, progress)
    todo = [file for file in files if str(file) not in sink.done]
    for _ in range(len(files) - len(todo)):
        progress.count(0.0)
    faults = [fault for file in files if (fault := sink.done.get(str(file)))]
    for fault in faults if not settings.skip_errors else ():
        progress.complain(fault)
    for outcome in _outcomes(work, todo, settings.jobs, sink, progress):
        for remark in outcome.remarks:
            progress.warn(remark)
        if outcome.fault:
            faults.append(outcome.fault)
            if not settings.skip_errors:
                progress.complain(outcome.fault)
        sink.place(outcome)
        progress.count(outcome.length_s)
    sink.close()
    progress.erase()
    if faults and settings.skip_errors:
        progress.warn(f"{counted(len(faults), 'file')} skipped: {join_first(faults, 3)}")
    return len(faults)


def open_sink(work: Work, files: Sequence[Path], settings: Settings, progress: Progress) -> Sink:
    """Return what takes the results."""
    shape, output = work.format, settings.output
    if not output:
        if not shape.many_files and len(files) > 1:
            raise LeanError(
                f"--format {work.options.format} has no column for the file, and there are "
                f"{len(files)}: name a directory with --output"
            )
        return Screen(shape, progress)
    if not shape.many_files and len(files) > 1 and output.suffix and not output.is_dir():
        raise LeanError(
            f"--output {output}: there are {len(files)} files; name a directory instead"
        )
    how: dict[str, Any] = {"resume": settings.resume, "retry": not settings.skip_errors}
    identity = run_identity(work.options)
    try:
        if not shape.many_files and (output.is_dir() or not output.suffix):
            return OutputFolder(output, files, shape, identity, **how)
        check_target(output, files, work.options.model)
        output.parent.mkdir(parents=True, exist_ok=True)
        return OutputFile(output, shape, identity, **how)
    except OSError as error:
        raise LeanError(f"--output {output}: cannot be written ({error.strerror})") from None


def run_identity(options: Options) -> dict[str, Any]:
    """Return what results follow from besides the sounds, as JSON has it."""
    content = asdict(replace(options, pictures={}))
    del content["pictures"]
    lists = {key: list(value) for key, value in content.items() if isinstance(value, tuple)}
    return {**content, **lists, "model": sha256(options.model)}


def _outcomes(
    work: Work, files: Sequence[Path], jobs: int, sink: Sink, progress: Progress
) -> Iterator[Outcome]:
    """Yield the outcome of every file, in order if the sink wants it."""
    if min(jobs, len(files)) > 1 and not any(map(is_descriptor, files)):
        yield from _in_turn(files, in_processes(work.options, files, jobs, sink.early), sink)
        return
    for file in files:
        if outcome := sink.early.get(str(file)):
            yield outcome
        elif isinstance(sink, Screen):  # its text needs no memory: it is written as it comes
            yield work.file(file, sink.emit, progress.tick)
        else:
            texts: list[str] = []
            outcome = work.file(file, texts.append, progress.tick)
            yield replace(outcome, text="".join(texts))


def _in_turn(files: Sequence[Path], done: Iterator[Done], sink: Sink) -> Iterator[Outcome]:
    waiting: dict[int, Outcome] = {}
    turn = 0
    for number, outcome in done:
        if isinstance(sink, OutputFolder):  # none has to wait, for each has its own file
            yield outcome
            continue
        waiting[number] = outcome
        if number != turn and outcome.file not in sink.early:
            sink.keep(outcome)
        while turn in waiting:
            yield waiting.pop(turn)
            turn += 1


def in_processes(
    options: Options, files: Sequence[Path], jobs: int, early: dict[str, Outcome]
) -> Iterator[Done]:
    """Yield the outcomes of files as they are ready; early: those that are ready now."""
    yield from ((n, early[str(file)]) for n, file in enumerate(files) if str(file) in early)
    waiting = deque((n, file) for n, file in enumerate(files) if str(file) not in early)
    while waiting:
        running: dict[Future[Outcome], tuple[int, Path]] = {}
        try:
            yield from _in_pool(options, jobs, waiting, running)
        except BrokenProcessPool:  # one of those that were running is to blame
            for number, file in sorted(running.values()):
                yield number, _alone(options, file)


def _in_pool(
    options: Options,
    jobs: int,
    waiting: deque[tuple[int, Path]],
    running: dict[Future[Outcome], tuple[int, Path]],
) -> Iterator[Done]:
    with _pool(options, jobs) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < jobs * AHEAD:
                    future = pool.submit(_score, waiting[0][1])
                    running[future] = waiting.popleft()
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    outcome = future.result()
                    yield running.pop(future)[0], outcome
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _pool(options: Options, jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_begin, initargs=(options,))


def _alone(options: Options, file: Path) -> Outcome:
    """Score a file in a process of its own, which it may kill."""
    try:
        with _pool(options, 1) as pool:
            return pool.submit(_score, file).result()
    except BrokenProcessPool:
        return Outcome(str(file), fault=f"{file}: the process that scored it died")


_work: Work | None = None  # of this process


def _begin(options: Options) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all processes: end without words
    end_with_parent()
    _work = Work(options)


def _score(file: Path) -> Outcome:
    if _work is None:
        raise RuntimeError("the process has not begun")
    texts: list[str] = []
    outcome = _work.file(file, texts.append)
    return replace(outcome, text="".join(texts))
