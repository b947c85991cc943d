"""Files that are either complete or absent."""

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lean_audio.errors import BadInputError, LeanError

if TYPE_CHECKING:  # the command line does without pandas
    import pandas as pd

FINISHED = ".finished"  # in a resumable directory: the results of its finished shards


@contextmanager
def atomic_file(path: Path, *, make_folder: bool = True) -> Iterator[Path]:
    """Yield a temporary sibling to write to; rename it to `path` when the block succeeds.

    Raises LeanError when the disk is full.
    """
    # keeps the suffix; unique although other hosts may have a process with this number
    name = f".{os.getpid()}-{secrets.token_hex(4)}.tmp.{path.name}"
    temporary = path.with_name(name)
    with _disk_full_explained(path):
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _disk_full_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise LeanError(
            f"{path} cannot be written, the disk is full: make space and run `dvc repro` again"
        ) from None


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield an empty sibling directory; it replaces `path` when the block succeeds."""
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def resumable_folder(path: Path, key: str) -> Iterator[Path]:
    """Yield a directory like atomic_directory's, which a failed run leaves for the next one.

    key: hexadecimal hash of what the content follows from; only a run with the same key resumes.
    It is part of the directory's name, so that a worker left over from another run cannot write
    into this one.
    The directory is absolute; FINISHED in it holds the results of work that is done.
    A BadInputError deletes it.
    """
    path = path.absolute()
    temporary = path.with_name(f".{path.name}.{key[:16]}.partial")
    for other in set(path.parent.glob(f".{path.name}.*partial")) - {temporary}:
        shutil.rmtree(other, ignore_errors=True)  # a worker left over may be writing to it
    with _disk_full_explained(temporary):
        (temporary / FINISHED).mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
    except BadInputError:
        shutil.rmtree(temporary)
        raise
    shutil.rmtree(path, ignore_errors=True)
    for stray in temporary.rglob(".*.tmp.*"):  # of killed workers
        stray.unlink(missing_ok=True)
    shutil.rmtree(temporary / FINISHED)
    temporary.rename(path)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with `\\n` line ends."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON; NaN and infinity are errors, for no other reader knows them."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """Hash a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_at(path: Path, offset_bytes: int, out: np.ndarray) -> None:
    """Fill the contiguous array `out` with the bytes of the file from `offset_bytes` on.

    Raises LeanError when the file is too short.
    """
    with path.open("rb", buffering=0) as file:
        file.seek(offset_bytes)
        read_bytes = file.readinto(out.data)
    if read_bytes != out.nbytes:
        raise LeanError(
            f"{path} ends {out.nbytes - read_bytes} bytes too early: "
            "delete it and run `dvc repro` again"
        )


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """Write a table without its index, with `\\n` line ends."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def touch_tree(folder: Path) -> None:
    """Touch every file of `folder`, so that DVC does not delete it as one of its own.

    `dvc exp run` starts by removing what DVC put into the workspace and the current parameters do
    not name, and recognises such files by their modification time. Results are kept in git and
    must stay when another dataset is chosen. Content and hash do not change.
    """
    for path in sorted(folder.rglob("*")):
        path.touch()
