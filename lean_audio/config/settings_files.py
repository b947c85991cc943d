"""The files that hold the settings: how they are read, and which datasets have one."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lean_audio.errors import LeanError


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping. Raises LeanError if there is no such file, or it holds something else."""
    try:
        content = YAML(typ="safe").load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise LeanError(f"{path} is missing: run from the project's root directory") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise LeanError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise LeanError(f"{path} is not a mapping of settings")
    return content


def check_dataset(name: Any, params_file: Path) -> None:
    """Raise LeanError unless datasets/ has the dataset."""
    found = sorted(file.parent.name for file in params_file.parent.glob("datasets/*/params.yaml"))
    if name not in found:
        raise LeanError(
            f"{params_file}: dataset: {name!r} is not one of {', '.join(found)}, the directories "
            "in datasets/"
        )
