"""Results in files, of a run that can be resumed whenever it is killed.

Beside FILE lies FILE.progress, one JSON object per line: the settings of the run, then for each
sound what of FILE is its. A line is written after the text that it speaks of. So a resumed run cuts
off text without a line, and goes on behind it. Results that are ready before their turn are kept in
the journal itself.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lean_audio.cli.formats import Format, Position
from lean_audio.cli.work import Outcome
from lean_audio.errors import LeanError, join_first
from lean_audio.files import atomic_file

SUFFIX = ".progress"
FOLDER_JOURNAL = f"lean-audio{SUFFIX}"
TRACK_SUFFIX = ".txt"


class Journal:
    """The lines of a run, those of an earlier one first.

    Parameters
    ----------
    path
        The journal.
    results
        What it is about, for messages.
    settings
        Of the run; only a run with the same ones can be resumed.
    resume
        Whether to go on with the run whose journal is there, if there is one.
    retry
        Whether files that were at fault are scored again.

    Raises
    ------
    LeanError
        If another run is unfinished and not resumed, or had other settings.
    """

    def __init__(
        self, path: Path, results: Path, settings: Mapping[str, Any], *, resume: bool, retry: bool
    ):
        self.path, self.settings, self.retry = path, dict(settings), retry
        self.lines = list(_read(path))
        before = self.lines[0].get("settings") if self.lines else None
        if before is not None and not resume and not self.lines[-1].get("finished"):
            raise LeanError(
                f"{results} is unfinished: add --resume to go on with it, or delete "
                f"{path} to begin anew"
            )
        if before is None or not resume:
            self.lines = []
        elif others := [key for key in self.settings if before.get(key) != self.settings[key]]:
            raise LeanError(
                f"--resume: {results} was written with another {join_first(others)}; "
                "leave --resume out to begin anew"
            )

    @property
    def placed(self) -> list[dict[str, Any]]:
        """Return the lines of sounds whose text is written."""
        return [line for line in self.lines if "file" in line]

    def done(self, placed: Sequence[dict[str, Any]]) -> dict[str, str]:
        """Return the files that need not be scored again, each with its fault or "".

        A file at fault is scored again unless text of what precedes the fault is written.
        """
        last = {line["file"]: line for line in placed}
        return {
            file: line["fault"]
            for file, line in last.items()
            if not (line["fault"] and self.retry and not line["kept"])
        }

    def early(self) -> dict[str, Outcome]:
        """Return the outcomes that were ready before their turn, by file."""
        found = [Outcome(**line["early"]) for line in self.lines if "early" in line]
        return {outcome.file: outcome for outcome in found if not (outcome.fault and self.retry)}

    def begin(self, lines: Sequence[dict[str, Any]]) -> None:
        """Write the journal anew, with the lines that still hold."""
        with atomic_file(self.path) as temporary:
            temporary.write_bytes(b"".join(map(_line, [{"settings": self.settings}, *lines])))
        self._file = self.path.open("ab")

    def append(self, **content: Any) -> None:
        self._file.write(_line(content))
        self._file.flush()

    def close(self) -> None:
        self.append(finished=True)
        self._file.close()


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"  # ASCII, whatever bytes a file's name has


def _read(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines that are whole."""
    if not path.is_file():
        return
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            yield json.loads(line)
        except ValueError:
            return


class OutputFile:
    """One file for the results of all sounds, in their order. The rest as of Journal.

    Raises LeanError, too, if a file is there whose journal is not, so that it cannot be resumed.
    """

    def __init__(
        self, path: Path, shape: Format, settings: Mapping[str, Any], *, resume: bool, retry: bool
    ):
        self.path, self.format = path, shape
        journal = path.with_name(path.name + SUFFIX)
        if resume and not journal.exists() and path.exists() and path.stat().st_size:
            raise LeanError(
                f"--resume: what is done is not known, for {journal} is missing; delete {path} to "
                "begin anew, or name another file"
            )
        self.journal = Journal(journal, path, settings, resume=resume, retry=retry)
        size = path.stat().st_size if path.exists() else 0
        placed = [line for line in self.journal.placed if line["end"] <= size]
        early = [line for line in self.journal.lines if "early" in line]
        self.done, self.early = self.journal.done(placed), self.journal.early()
        self.position = Position()
        for line in placed:
            self.position = self.position.after(line["rows"], line["length_s"])
        self._open(placed[-1]["end"] if placed else 0, [*placed, *early])

    def _open(self, size: int, lines: Sequence[dict[str, Any]]) -> None:
        self._file = self.path.open("r+b" if self.path.exists() else "w+b")
        self._file.truncate(size)
        self._file.seek(size)
        self.journal.begin(lines)
        if not size:
            self._write(self.format.header())

    def keep(self, outcome: Outcome) -> None:
        """Keep an outcome whose turn has not come."""
        self.journal.append(early=asdict(outcome))

    def place(self, outcome: Outcome) -> None:
        """Write an outcome."""
        text, rows = self.format.place(outcome.text, self.position)
        self._write(text)
        self.position = self.position.after(rows, outcome.length_s)
        self.journal.append(
            file=outcome.file,
            rows=rows,
            length_s=outcome.length_s,
            fault=outcome.fault,
            kept=bool(text),
            end=self._file.tell(),
        )

    def _write(self, text: str) -> None:
        self._file.write(text.encode("utf-8", "surrogateescape"))
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        self.journal.close()


class OutputFolder:
    """One file per sound: the name of the sound with .txt, in folders as the sounds are.

    Raises LeanError, too, if several sounds have the same name but for the suffix.
    """

    def __init__(
        self,
        folder: Path,
        files: Sequence[Path],
        shape: Format,
        settings: Mapping[str, Any],
        *,
        resume: bool,
        retry: bool,
    ):
        self.format, self.tracks = shape, track_names(folder, files)
        folder.mkdir(parents=True, exist_ok=True)
        journal = folder / FOLDER_JOURNAL
        self.journal = Journal(journal, folder, settings, resume=resume, retry=retry)
        self.done = {
            file: fault
            for file, fault in self.journal.done(self.journal.placed).items()
            if fault or (file in self.tracks and self.tracks[file].exists())
        }
        self.early: dict[str, Outcome] = {}
        self.journal.begin(self.journal.placed)

    def place(self, outcome: Outcome) -> None:
        """Write an outcome; nothing for a sound that is at fault."""
        if not outcome.fault:
            with atomic_file(self.tracks[outcome.file]) as temporary:
                text = self.format.header() + outcome.text
                temporary.write_bytes(text.encode("utf-8", "surrogateescape"))
        self.journal.append(file=outcome.file, fault=outcome.fault, kept=False)

    def close(self) -> None:
        self.journal.close()


def track_names(folder: Path, files: Sequence[Path]) -> dict[str, Path]:
    """Return the file of results of each sound; raise LeanError if two would have the same."""
    roots = {os.path.dirname(os.path.abspath(file)) for file in files}  # noqa: PTH100, PTH120
    try:
        root = os.path.commonpath(roots)
    except ValueError:  # several drives
        root = ""
    names = {str(file): _track(folder, file, root) for file in files}
    by_name: dict[Path, str] = {}
    for file, name in names.items():
        if (other := by_name.setdefault(name, file)) != file:
            raise LeanError(f"--output {folder}: {other} and {file} would both be {name.name}")
    return names


def _track(folder: Path, file: Path, root: str) -> Path:
    place = file.absolute()
    inner = place.relative_to(root) if root else Path(file.name)
    return (folder / inner).with_suffix(TRACK_SUFFIX)
