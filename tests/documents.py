"""The project's Markdown pages: their code blocks, the commands in these, headings and links."""

import re
import shlex
import subprocess
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from helpers import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "sounds/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
SHELL = ("sh", "console")
NOT_RUN = ("text", "mermaid", "bibtex", "kotlin", "swift", "cpp")
LANGUAGES = (*SHELL, "python", "yaml", *NOT_RUN)
# What a block may need that the machine may lack; without a mark it needs nothing. The tests run
# a marked block only where LEAN_HAS names its need: it may take hours or submit jobs.
NEEDS = {
    "fsd50k": "FSD50K, 71 GB of disk and a day",
    "sounds": "labelled sounds of your own, and YAMNet",
    "gpu": "a GPU",
    "jax": "JAX",
    "slurm": "a SLURM cluster",
    "hosts": "several hosts",
    "microphone": "a microphone",
    "internet": "the internet",
}
MARK = re.compile(r"<!-- needs: ([\w-]+) -->")
FENCE = re.compile(
    r"^(?:<!-- needs: (?P<need>[\w-]+) -->\n\n?)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.M | re.S,
)
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
SEPARATORS = {"&&", "||", ";", "|", "&", "\n"}


@dataclass(frozen=True)
class Block:
    """A fenced code block; need: a key of NEEDS, or None."""

    page: Path
    line: int
    language: str
    text: str
    need: str | None

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def script(self) -> str:
        """Return what a user would type: of a console block, the lines after `$`."""
        if self.language != "console":
            return self.text
        lines = self.text.splitlines(keepends=True)
        return "".join(line[2:] for line in lines if line.startswith(("$ ", "> ")))

    @property
    def commands(self) -> list[list[str]]:
        return split_commands(self.script) if self.language in SHELL else []


def read_blocks(page: Path) -> list[Block]:
    """Return the fenced code blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, match.start("language")) + 1,
            match["language"],
            match["text"],
            match["need"],
        )
        for match in FENCE.finditer(text)
    ]


def split_commands(script: str) -> list[list[str]]:
    """Split a shell script into simple commands, without redirections and variables before them.

    Loops, functions and substitutions are beyond it: their words come out as commands.
    """
    words, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if line.endswith("\\\n"):
            continue
        try:
            words += [*_words(pending.replace("\\\n", " ")), "\n"]
        except ValueError:  # a quotation goes on in the next line
            continue
        pending = ""
    assert not pending, f"no end of a quotation: {pending}"
    groups = groupby(words, lambda word: word in SEPARATORS)
    found = [_strip(list(group)) for separates, group in groups if not separates]
    return [command for command in found if command]


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    return list(lexer)


def _strip(command: list[str]) -> list[str]:
    """Remove variables before a command, and redirections with their files."""
    while command and ASSIGNMENT.match(command[0]):
        command = command[1:]
    kept = [
        word
        for before, word in zip(["", *command], command, strict=False)
        if not {before, word} & {">", ">>", "<", "2>"}
    ]
    return [kept[0].removeprefix(".venv/bin/"), *kept[1:]] if kept else []


def read_prose(page: Path) -> str:
    """Return a page's text without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def read_code_spans(page: Path) -> list[str]:
    """Return what stands between single backticks in a page's prose, each on one line."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", read_prose(page))]


def all_pages() -> list[Path]:
    """Return every Markdown file of the project, generated reports included."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = {ROOT / name for name in names.split("\0") if name}
    return sorted(path for path in found if path.is_file())


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", read_prose(page), re.M):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = base = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        number = 0
        while slug in found:
            number += 1
            slug = f"{base}-{number}"
        found.add(slug)
    return found


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and images, those on the web left out."""
    prose = re.sub(r"`[^`]*`", "", read_prose(page))
    found = re.findall(r"\]\(\s*<?([^)\s>]+)", prose) + re.findall(r'(?:src|href)="([^"]+)"', prose)
    return [link for link in found if not re.match(r"[a-z][a-z+.-]*:", link)]
