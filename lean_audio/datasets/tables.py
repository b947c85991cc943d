"""Read a table as people save them: CSV or TSV, from a program's own export or by hand."""

import csv
import io
import re
import zipfile
from pathlib import Path

import pandas as pd

from lean_audio.audio.split_zip import DamagedEntryError, read_bytes
from lean_audio.datasets.names import clean, column_name
from lean_audio.errors import LeanError, join_first

SUFFIXES = (".csv", ".tsv")
HEADER_BYTES = 65_536  # of a table, read to see its first row
SEPARATORS = (",", ";", "\t")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # Excel's "Unicode text"
_EXCEL_HINT = re.compile(r"\s*\"?sep=.\"?[\r\n]+")  # a first line that only Excel reads
Entry = Path | zipfile.Path


def read_table(path: Entry, *, header: bool = True) -> pd.DataFrame:
    """Read a table of text; its index holds each row's line in the file.

    The separator is the one of `,` `;` and tab that splits the first line most. Empty rows are left
    out. Columns are named as in names.column_name, or numbered if there is no header.

    Raises LeanError for a file that is no table, and for a row with more fields than the header.
    """
    rows = _rows(path, read_text(path))
    if not rows:
        raise LeanError(f"{path} is not a CSV: it is empty")
    width = max(len(row) for _, row in rows)
    names: list[str] | list[int] = _header(path, rows) if header else list(range(width))
    rows = rows[1:] if header else rows
    for line, row in rows:
        if any(row[len(names) :]):
            raise LeanError(
                f"{path}, line {line}: rows have more fields than the header; "
                "quote labels with commas"
            )
    padded = [(row + [""] * len(names))[: len(names)] for _, row in rows]
    return pd.DataFrame(padded, columns=names, index=[line for line, _ in rows], dtype=str)


def read_header(path: Path) -> list[str]:
    """Return the names of a table's columns, whatever is wrong below; empty if it is no table."""
    try:
        with path.open("rb") as file:
            rows = _rows(path, decode(file.read(HEADER_BYTES), errors="replace"), limit=1)
    except (OSError, LeanError):
        return []
    return _names(rows[0][1]) if rows else []


def _header(path: Entry, rows: list[tuple[int, list[str]]]) -> list[str]:
    names = _names(rows[0][1])
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise LeanError(f"{path}: more than one column {join_first(map(repr, twice))}")
    return names


def _names(fields: list[str]) -> list[str]:
    return [column_name(name) or f"column_{number}" for number, name in enumerate(fields, 1)]


def _rows(path: Entry, text: str, limit: int | None = None) -> list[tuple[int, list[str]]]:
    """Return line and fields of each row that is not empty."""
    if "\0" in text:
        raise LeanError(f"{path} is not a CSV in UTF-8; save it as one")
    if hint := _EXCEL_HINT.match(text):
        text = "\n" + text[hint.end() :]
    first = re.search(r"[^\r\n]*\S[^\r\n]*", text)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=_separator(first[0] if first else ""),
        skipinitialspace=True,
        strict=True,
    )
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if any(fields := [clean(field) for field in row]):
                rows.append((reader.line_num, fields))
            if len(rows) == limit:
                break
    except csv.Error as error:
        raise LeanError(f"{path}, line {reader.line_num}, is not a CSV: {error}") from None
    return rows


def _separator(line: str) -> str:
    return max(SEPARATORS, key=lambda mark: len(next(csv.reader([line], delimiter=mark), [])))


def read_text(path: Entry, kind: str = "a CSV") -> str:
    """Read text in UTF-8 or UTF-16; raise LeanError, with the line, for what is neither."""
    try:
        content = read_bytes(path)
    except DamagedEntryError as error:
        raise LeanError(f"{path}: {error}") from None
    except OSError as error:
        raise LeanError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return decode(content)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise LeanError(f"{path}, line {line}, is not {kind} in UTF-8; save it as one") from None


def decode(content: bytes, errors: str = "strict") -> str:
    """Decode text in UTF-8, with or without byte order mark, or in UTF-16 with one."""
    return content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig", errors)
