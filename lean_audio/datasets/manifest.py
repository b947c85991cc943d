"""Files elsewhere, their sizes and MD5s; how much of them is here."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lean_audio.errors import LeanError


@dataclass(frozen=True)
class RemoteFile:
    name: str
    bytes: int
    md5: str


def read_manifest(path: Path) -> list[RemoteFile]:
    """The files of a CSV with the columns file, bytes, md5; lines that start with # are notes."""
    try:
        table = pd.read_csv(path, comment="#", dtype={"file": str, "bytes": int, "md5": str})
        rows = table[["file", "bytes", "md5"]].itertuples(index=False)
        return [RemoteFile(*row) for row in rows]
    except (OSError, ValueError, KeyError) as error:
        raise LeanError(f"{path} is not a CSV of file, bytes, md5: {error}") from None


def missing_bytes(files: Sequence[RemoteFile], folder: Path) -> int:
    """How much is still to be fetched, going by sizes."""
    return sum(max(file.bytes - max(map(size, places(folder, file))), 0) for file in files)


def places(folder: Path, file: RemoteFile) -> tuple[Path, Path]:
    """Where a file lies when it is whole and verified, and before."""
    return folder / file.name, folder / f"{file.name}.part"


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def verified(path: Path, file: RemoteFile) -> bool:
    if size(path) != file.bytes or not path.exists():
        return False
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "md5").hexdigest() == file.md5
