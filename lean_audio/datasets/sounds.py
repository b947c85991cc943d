"""Find the sound files of a directory, and the one that a table means."""

import difflib
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from lean_audio.audio.containers import SUFFIXES, UNREADABLE_SUFFIXES
from lean_audio.datasets.names import clean, is_text
from lean_audio.errors import LeanError


def is_hidden(name: str) -> bool:
    """Return whether a file is no content: `.DS_Store`, and AppleDouble's `._x.wav`."""
    return name.startswith(".") or name == "__MACOSX"


def is_sound(name: str) -> bool:
    """Return whether a file has the suffix of a format that is read."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def is_other_sound(name: str) -> bool:
    """Return whether a file has the suffix of a format that is not read."""
    return PurePosixPath(name).suffix.lower() in UNREADABLE_SUFFIXES


def list_files(root: Path) -> list[str]:
    """List the files below a directory, relative to it and sorted; hidden ones are passed over.

    Links to directories are followed, except to one that they are in. Raises LeanError for a sound
    whose path no table can hold.
    """
    found = []
    for folder, folders, files in os.walk(root, followlinks=True):
        place, real = Path(folder), Path(folder).resolve()
        folders[:] = [
            name
            for name in folders
            if not is_hidden(name) and not real.is_relative_to((place / name).resolve())
        ]
        relative = place.relative_to(root)
        found += [(relative / name).as_posix() for name in files if not is_hidden(name)]
    if odd := [file for file in found if is_sound(file) and not is_text(file)]:
        raise LeanError(
            f"{root}: {odd[0]!r}: a name in this path is not one line of UTF-8; rename it"
        )
    return sorted(found)


class Sounds:
    """The files of a directory, looked up by what a table calls them.

    files: all files, relative to the directory; a lookup finds sounds only, unless its name is the
    path of another file.
    """

    def __init__(self, files: Iterable[str]):
        self.files = list(files)

    @cached_property
    def found(self) -> list[str]:
        return [file for file in self.files if is_sound(file)]

    @cached_property
    def unreadable(self) -> list[str]:
        return [file for file in self.files if is_other_sound(file)]

    @cached_property
    def _by_path(self) -> dict[str, str]:
        return {clean(file): file for file in self.files}

    @cached_property
    def _by_end(self) -> dict[str, list[str]]:
        """Files by name with suffix and without: sounds, and only then what cannot be read."""
        ends: dict[str, list[str]] = {}
        for kind in (self.found, self.unreadable):
            known = set(ends)
            for file in kind:
                path = PurePosixPath(clean(file))
                for name in {path.name, path.stem} - known:
                    ends.setdefault(name, []).append(file)
        return ends

    def matches(self, name: str, folders: Iterable[str] = ("",)) -> list[str]:
        """Return the files that a name may mean: one, several, or none.

        name: a path below one of the `folders`, or the end of one, with or without suffix.
        """
        path = PurePosixPath(clean(name).replace("\\", "/"))
        for folder in folders:
            if file := self._by_path.get(os.path.normpath(PurePosixPath(folder) / path)):
                return [file]
        ends = self._by_end.get(path.name, [])
        parents = [part for part in path.parent.parts if part not in (".", "..")]
        return [file for file in ends if _is_below(file, parents)]

    def nearest(self, name: str) -> str:
        """Return the sound whose name is most like one that was not found; "" if none is."""
        names = {PurePosixPath(file).name.casefold(): file for file in self.found}
        like = difflib.get_close_matches(PurePosixPath(name).name.casefold(), names, n=1)
        return names[like[0]] if like else ""


def _is_below(file: str, parents: list[str]) -> bool:
    """Return whether a file's path ends with these directories and its name."""
    above = PurePosixPath(clean(file)).parent.parts
    return not parents or list(above[-len(parents) :]) == parents
