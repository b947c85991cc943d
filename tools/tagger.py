"""Make one tagger from a directory of your own sounds (`make tagger`): write its settings.

The set of sounds gets a directory in datasets/; params.yaml then names it and the one model to
train. `dvc repro` does the rest.
"""

import re
import unicodedata
from itertools import chain, count
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lean_audio.config.datasets import Folder
from lean_audio.config.params import ALLOWED_NAME, NAME, load_params, load_source
from lean_audio.config.paths import settings_file
from lean_audio.datasets.layouts.recognise import read_folder
from lean_audio.datasets.layouts.table import Columns
from lean_audio.errors import LeanError
from lean_audio.files import atomic_file, write_text
from stages import run_stage

PATTERN = "sounds"  # the set that new ones are copies of
LONGEST_LINE = 4096  # of YAML: comments stay where they are
LONGEST = 40  # characters of a name made from a directory's


def choose_name(sounds: Path, name: str) -> str:
    """Return the set's name: the one given, else the directory's in letters, digits and -.

    A number is added to a directory's name if another set has it.
    """
    if not name:
        plain = unicodedata.normalize("NFKD", sounds.resolve().name).encode("ascii", "ignore")
        base = re.sub(r"[^A-Za-z0-9]+", "-", plain.decode()).strip("-")[:LONGEST] or PATTERN
        names = chain([base], (f"{base}-{number}" for number in count(2)))
        return next(name for name in names if _root(name) in (None, sounds.resolve()))
    if not re.fullmatch(NAME, name):
        raise LeanError(f"NAME: {name!r} cannot name a set of sounds: {ALLOWED_NAME}")
    return name


def add_set(name: str, sounds: Path) -> str:
    """Make datasets/<name>/ unless it is there; return one line about its settings.

    Raises LeanError if the name is that of another set.
    """
    path = settings_file(name)
    root = sounds.as_posix()
    if path.is_file():
        if (there := _root(name)) != sounds.resolve():
            raise LeanError(
                f"NAME: {path} is of {there}, not of {root}: choose another NAME, or change root "
                "there if the sounds have moved"
            )
        return f"settings {path}"
    read_folder(sounds, "", Columns("", "", ""), ())  # raises before anything is written
    path.parent.mkdir(exist_ok=True)
    _edit(settings_file(PATTERN), path, {"root": root})
    pipeline = settings_file(PATTERN).with_name("dvc.yaml").read_text("utf-8")
    write_text(path.with_name("dvc.yaml"), pipeline.replace(f"name: {PATTERN} ", f"name: {name} "))
    return f"settings {path} (new)"


def _root(name: str) -> Path | str | None:
    """Return the directory that a set reads, the kind of another dataset, or None for no set."""
    if not settings_file(name).is_file():
        return None
    source = load_source(name)
    return source.root.resolve() if isinstance(source, Folder) else source.kind


def select(name: str, model: str, yamnet: str) -> None:
    """Write to params.yaml which set and which one model the pipeline is run for."""
    path = Path("params.yaml")
    changes: dict[str, Any] = {"dataset": name, "headline": model, "variants": [model]}
    if yamnet:
        changes["yamnet"] = {"source": yamnet}
    _edit(path, path, changes)


def _edit(source: Path, path: Path, changes: dict[str, Any]) -> None:
    """Write the YAML file `source` to `path` with some values changed and all comments kept."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, LONGEST_LINE
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(source.read_text("utf-8"))
    for key, value in changes.items():
        if isinstance(value, dict):
            content[key] |= value
        else:
            content[key] = value
    with atomic_file(path) as temporary:
        yaml.dump(content, temporary)


def main(sounds: str, name: str = "", yamnet: str = "", model: str = "plus") -> None:
    load_params().model(model)
    root = Path(sounds).expanduser()
    if not sounds:
        raise LeanError("SOUNDS is not set: make tagger SOUNDS=/my/clips")
    if not root.is_dir():
        raise LeanError(f"SOUNDS: {sounds!r} is not a directory")
    if yamnet and not (Path(yamnet).expanduser() / "saved_model.pb").is_file():
        raise LeanError(f"YAMNET: {yamnet!r} is not a SavedModel: it has no saved_model.pb")
    name = choose_name(root, name)
    line = add_set(name, root)
    select(name, model, yamnet)
    weights = load_params().yamnet.source
    print(f"{name}: {model} on {root}; YAMNet: {weights}; {line}; params.yaml now selects it")


if __name__ == "__main__":
    run_stage(main)
