"""Check a command of the documentation without running it: its options, settings and stages."""

import ast
import contextlib
import io
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from documents import split_commands
from helpers import ROOT
from ruamel.yaml import YAML

from lean_audio.cli.main import main as lean_audio
from lean_audio.config.params import load_params

OWN = tuple(str(path.relative_to(ROOT)) for path in ROOT.glob("datasets/*/params.yaml"))
SETTINGS = ("params.yaml", "models.yaml", *OWN)
EXAMPLE = "esc50"  # a set of sounds that a page makes
PLAIN = {"source", ".", "cd", "export", "git", "mkdir", "mv"}  # nothing of ours to check


class CommandError(Exception):
    """A command of the documentation that would not work."""


class Project:
    """The pipeline's definition and settings in a directory of their own, without code or data."""

    def __init__(self, root: Path):
        self.root = root
        self.params = root / "params.yaml"
        names = [str(path.relative_to(ROOT)) for path in ROOT.glob("datasets/*/dvc.yaml")]
        for name in ("dvc.yaml", *names):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        shutil.copytree(root / "datasets" / "sounds", root / "datasets" / EXAMPLE)
        (root / ".dvc").mkdir()
        (root / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
        self.reset()

    def reset(self) -> None:
        """Set everything as it is in the repository."""
        for name in SETTINGS:
            shutil.copy(ROOT / name, self.root / name)
        shutil.copy(ROOT / "datasets/sounds/params.yaml", self.root / "datasets" / EXAMPLE)

    def load(self) -> None:
        """Raise LeanError unless the settings are accepted."""
        load_params(self.params)

    def merge(self, changes: dict[str, Any]) -> None:
        """Change settings as someone who edits params.yaml and models.yaml."""
        for name in ("params.yaml", "models.yaml"):
            content = YAML(typ="safe").load((self.root / name).read_text())
            ours = {
                key: changes[key] for key in changes if (key == "models") == (name == "models.yaml")
            }
            YAML().dump(_merged(content, ours), self.root / name)

    def check_setting(self, key: str, value: str = "") -> None:
        """Raise CommandError unless there is this setting, and may have this value."""
        file = next(file for file in ("params.yaml", *OWN, "") if not file or _has(file, key))
        if not file:
            raise CommandError(f"{key} is not a setting")
        if value:
            name = key if file == "params.yaml" else f"{file}:{key}"
            dataset = ["-S", f"dataset={Path(file).parent.name}"] if file in OWN else []
            setting = f"{name}={value.replace(', ', ',')}"
            self.check_all([["dvc", "exp", "run", *dataset, "-S", setting]])

    def check_all(self, commands: Iterable[list[str]], *, strict: bool = True) -> None:
        """Check commands that are run one after the other; settings persist between them.

        strict: a program that is not known here is an error. Raises CommandError.
        """
        self.reset()
        for command in commands:
            try:
                self._check(command, strict)
            except Exception as error:
                raise CommandError(f"{' '.join(command)}: {error}") from error

    def _check(self, command: list[str], strict: bool) -> None:
        program, *arguments = command
        checks = {
            "dvc": self._check_dvc,
            "make": _check_make,
            "python": _check_python,
            "lean-audio": _check_lean_audio,
            "sbatch": self._check_sbatch,
        }
        if program in checks:
            checks[program](arguments)
        elif command[:2] == ["git", "checkout"]:
            self.reset()
        elif strict and program not in PLAIN:
            raise CommandError("no test knows this program: add a check, or mark what it needs")

    def _check_dvc(self, arguments: list[str]) -> None:
        parsed = _parse_dvc(arguments)
        if parsed is None:
            return
        apart = getattr(parsed, "queue", False) or getattr(parsed, "tmp_dir", False)
        with self._kept_as_is() if apart else contextlib.nullcontext():
            sweeps = _sweeps(getattr(parsed, "set_param", [])) if apart else None
            for overrides in sweeps or [getattr(parsed, "set_param", [])]:
                self._set(overrides)
            if arguments[0] in ("repro", "commit") or arguments[:2] == ["exp", "run"]:
                self._check_stages(parsed.targets)

    @contextlib.contextmanager
    def _kept_as_is(self) -> Iterator[None]:
        before = self.params.read_bytes()
        yield
        self.params.write_bytes(before)

    def _set(self, overrides: list[str]) -> None:
        """Change settings as `dvc exp run --set-param` does; raise if they are not allowed."""
        from dvc.utils.hydra import apply_overrides

        for override in overrides:
            file, colon, change = override.partition(":")
            if colon and file.endswith(".yaml"):
                apply_overrides(self.root / file, [change])
            else:
                apply_overrides(self.params, [override])
        if overrides:
            self.load()

    def _check_stages(self, targets: list[str]) -> None:
        """Raise DVC's own error unless the pipeline has these stages."""
        from dvc.repo import Repo

        if targets:
            with Repo(self.root) as repo:
                for target in targets:
                    repo.stage.collect(target)

    def _check_sbatch(self, arguments: list[str]) -> None:
        if "--wrap" in arguments:
            for command in split_commands(arguments[arguments.index("--wrap") + 1]):
                self._check(command, strict=True)


def _has(file: str, key: str) -> bool:
    found = YAML(typ="safe").load((ROOT / file).read_text())
    for part in key.split("."):
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True


def _sweeps(overrides: list[str]) -> list[list[str]]:
    """Return the settings of each experiment that `a=1,2` or `file:a=1,2` queues."""
    from dvc.utils.cli_parse import to_path_overrides
    from dvc.utils.hydra import get_hydra_sweeps

    sweeps = get_hydra_sweeps(to_path_overrides(overrides)) if overrides else []
    return [
        [f"{file}:{change}" for file, changes in sweep.items() for change in changes]
        for sweep in sweeps
    ]


def _merged(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    both = {key for key in changes if isinstance(changes[key], dict) and key in content}
    return content | changes | {key: _merged(content[key], changes[key]) for key in both}


def _parse_dvc(arguments: list[str]) -> Any:
    """Parse as DVC does; None for the name of a group of commands, such as `dvc plots`."""
    from dvc.cli import parse_args
    from dvc.cli.parser import DvcParserError

    try:
        with _quiet() as complaint:
            return parse_args(arguments)
    except DvcParserError:
        if _is_group(parse_args, arguments):
            return None
        raise CommandError(complaint.getvalue().strip()) from None


def _is_group(parse, words: list[str]) -> bool:
    try:
        with _quiet():
            parse([*words, "--help"])
    except SystemExit as end:
        return not end.code and not any(word.startswith("-") for word in words)
    except Exception:
        return False
    return False


@contextlib.contextmanager
def _quiet() -> Iterator[io.StringIO]:
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
        yield printed


def _check_make(arguments: list[str]) -> None:
    command = ["make", "--dry-run", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise CommandError(done.stderr.strip())


def _check_python(arguments: list[str]) -> None:
    if arguments[:1] == ["-c"]:
        compile(arguments[1], "-c", "exec")
    if arguments[:1] != ["-m"]:
        return
    module, options = arguments[1], arguments[2:]
    if find_spec(module) is None:
        raise CommandError(f"no module {module}")
    if module.startswith(("stages.", "tools.")):
        required, optional = _options(module)
        if not required <= set(options[::2]) <= required | optional:
            raise CommandError(f"its options are {sorted(required | optional)}")
    if module == "benchmarks" and not all(find_spec(f"benchmarks.{part}") for part in options):
        raise CommandError(f"a benchmark of {options} is missing")


@cache
def _options(module: str) -> tuple[set[str], set[str]]:
    """Return the options of a stage, required and not: the parameters of its `main`."""
    tree = ast.parse(ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    arguments = functions["main"].args
    names = [f"--{argument.arg}" for argument in arguments.args]
    required = len(names) - len(arguments.defaults)
    return set(names[:required]), set(names[required:])


def _check_lean_audio(arguments: list[str]) -> None:
    """Parse the options: where there is no model, nothing else happens."""
    if len(arguments) == 1 and arguments[0] in ("predict", "events", "listen", "info"):
        return  # the command's name in the text
    here = Path.cwd()
    os.chdir(ROOT / "docs")
    try:
        with _quiet() as complaint:
            lean_audio(arguments)
    except SystemExit:
        raise CommandError(complaint.getvalue().strip()) from None
    finally:
        os.chdir(here)
