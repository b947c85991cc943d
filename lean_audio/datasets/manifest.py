"""A manifest of published files: sizes, MD5s and counts; how much of them is already here."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lean_audio.errors import LeanError


class RemoteFile(BaseModel):
    """One published file: its name, size in bytes and MD5."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    bytes: PositiveInt
    md5: str


class Manifest(BaseModel):
    """What was published: clips by split, number of classes, and the files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clips: dict[str, PositiveInt]
    classes: PositiveInt
    files: tuple[RemoteFile, ...]


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; raises LeanError when the file is missing or not one."""
    try:
        return Manifest.model_validate(YAML(typ="safe").load(path.read_text("utf-8")))
    except OSError as error:
        raise LeanError(f"{path} cannot be read as a manifest: {error.strerror}") from None
    except (YAMLError, UnicodeDecodeError, ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise LeanError(f"{path} is not a manifest of clips, classes and files: {reason}") from None


def missing_bytes(files: Sequence[RemoteFile], folder: Path) -> int:
    """Bytes still to be downloaded, judged by file sizes."""
    return sum(max(file.bytes - max(map(size, places(folder, file))), 0) for file in files)


def places(folder: Path, file: RemoteFile) -> tuple[Path, Path]:
    """Where a file lies once verified, and while it is incomplete."""
    return folder / file.name, folder / f"{file.name}.part"


def size(path: Path) -> int:
    """Size in bytes; 0 for a file that does not exist."""
    return path.stat().st_size if path.exists() else 0


def verified(path: Path, file: RemoteFile) -> bool:
    """Return whether the file at `path` has the size and the MD5 of the manifest."""
    if size(path) != file.bytes or not path.exists():
        return False
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "md5").hexdigest() == file.md5
