"""Every command and setting in the documentation exists; tests/pipeline runs the commands."""

import re
import subprocess
from pathlib import Path

import pytest
from document_checks import CommandError, Project
from documents import (
    LANGUAGES,
    MARK,
    NEEDS,
    PAGES,
    SHELL,
    read_blocks,
    read_code_spans,
    split_commands,
)
from helpers import ROOT
from ruamel.yaml import YAML

BLOCKS = [block for page in PAGES for block in read_blocks(page)]
COMMAND = re.compile(r"([A-Z_]+=\S+ )?(\.venv/bin/)?(make|dvc|lean-audio|python) \S")
SETTING = re.compile(r"([a-z_]+)\.[a-z0-9_.]+(?=: |$)")
FILE = re.compile(r"\.(json|yaml|csv|py|md)$")
PLACEHOLDER = re.compile(r"[<*$]|\.\.\.")


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def each_block(*languages: str):
    blocks = [block for block in BLOCKS if block.language in languages]
    return pytest.mark.parametrize("block", blocks, ids=lambda block: block.name)


each_page = pytest.mark.parametrize("page", PAGES, ids=page_name)


@each_page
def test_every_block_has_a_language_and_every_mark_a_block(page):
    text, blocks = page.read_text(), read_blocks(page)
    fences = sum(line.lstrip().startswith("```") for line in text.splitlines())
    assert fences == 2 * len(blocks), "a fence is indented, or its first line is not understood"
    for block in blocks:
        assert block.language in LANGUAGES, f"{block.name}: allowed are {LANGUAGES}"
        assert block.need is None or block.need in NEEDS, f"{block.name}: allowed are {[*NEEDS]}"
    marked = [block.need for block in blocks if block.need]
    assert MARK.findall(text) == marked, "a mark stands in the line before its block"


@each_block(*SHELL)
def test_commands_of_a_block_exist(project, block):
    """In a block with a mark, only our own commands are checked."""
    done = subprocess.run(["bash", "-n"], input=block.script, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    assert block.commands
    project.check_all(block.commands, strict=not block.need)


@each_block("python")
def test_programs_compile(block):
    compile(block.text, block.name, "exec")


@each_page
def test_settings_in_blocks_of_a_page_are_accepted_together(project, page):
    project.reset()
    for block in read_blocks(page):
        if block.language == "yaml":
            project.merge(YAML(typ="safe").load(block.text))
    project.load()


@each_page
def test_commands_and_settings_in_the_text_exist(project, page):
    settings = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    for span in filter(lambda span: not PLACEHOLDER.search(span), read_code_spans(page)):
        command = f"dvc exp run {span}" if span.startswith("-S ") else span
        if COMMAND.match(command):
            project.check_all(split_commands(command))
        if (found := SETTING.match(span)) and found[1] in settings and not is_file(found[0]):
            project.check_setting(*span.split(": ", maxsplit=1))


def is_file(name: str) -> bool:
    """Say whether `section.key` is a file's name or a module of lean_audio."""
    module = (ROOT / "lean_audio").joinpath(*name.split(".")).with_suffix(".py")
    return bool(FILE.search(name)) or module.is_file()


MISTAKES = [
    "dvc exp run -S attention=afinity",
    "dvc exp run -S embed.mean_normalisation=true",
    "dvc exp run -S 'variants=[joint-bahdanau,dropuot]'",
    "dvc exp run --paramset attention=affinity",
    "dvc repro evaluate@plus-2",
    "dvc repro trian",
    "dvc plots sho",
    "make papper",
    "python -m stages.train --model joint-bahdanau",
    "python -m stages.training --model joint-bahdanau --seed 1",
    "python -m benchmarks gpus",
    "lean-audio predict a.wav --treshold auto",
    "lean-audio info --format csv",
    "sbatch --wrap 'dvc exp run -S seed=3'",
    "curl https://example.org",
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_command_is_noticed(project, mistake):
    with pytest.raises(CommandError):
        project.check_all(split_commands(mistake))


def test_settings_persist_from_one_command_to_the_next(project):
    """As they do for anyone who types the lines of a block."""
    change = ["dvc exp run -S headline=plus", "dvc exp run -S 'variants=[joint-bahdanau]'"]
    with pytest.raises(CommandError, match=r"headline: 'plus' is not one of"):
        project.check_all(split_commands("\n".join(change)))
    project.check_all(split_commands("\ngit checkout params.yaml\n".join(change)))
    project.check_all(split_commands("\n".join(change).replace("run", "run --queue")))
