"""What the report tells the owner of the sounds: warnings, weak and confused labels, doubts."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from urllib.parse import quote

from lean_audio.report.inputs import Record, Source, Table, number, read_record, read_table, require

CHECKS = Source("check", "clips warnings checks")
CHECK = Source("check", "finding noun count first")
REVIEW = Source("review", "variant seed folds clips mAP unlikely missing")
CLASSES = Source("review", "label positives AP low high")
CONFUSIONS = Source("review", "label taken_for clips confused fraction")
DOUBTS = Source("review", "kind rank clip split file labels label score better better_score sound")
KINDS = ("unlikely label", "missing label")
CONFUSED = 10  # pairs of labels that are shown
DOUBTED = 10  # clips of each kind that are shown


def read_checks(metrics_dir: Path) -> Record | None:
    """Read the warnings about the data; None if stage check has not run."""
    path = metrics_dir / "data_checks.json"
    if not path.is_file():
        return None
    found = read_record(path, CHECKS)
    for check in found["checks"]:
        require(path, CHECK, check)
    warnings = [check for check in found["checks"] if check["count"]]
    return {**found, "warnings": warnings}


def read_review(metrics_dir: Path, sounds: Path, page: Path) -> Record | None:
    """Read what the templates show of the labels; None if stage review has not run.

    sounds: directory of the doubted clips' sounds; page: the directory that the page will be in,
    from which it names them, so that no path of this machine is in it.
    """
    folder = metrics_dir / "review"
    if not (folder / "review.json").is_file():
        return None
    doubts = read_table(folder / "doubts.csv", DOUBTS)
    shown = [_playable(row, sounds, page) for row in doubts if int(row["rank"]) <= DOUBTED]
    return {
        **read_record(folder / "review.json", REVIEW),
        "classes": _weakest_first(read_table(folder / "classes.csv", CLASSES)),
        "confusions": _numbers(read_table(folder / "confusions.csv", CONFUSIONS)[:CONFUSED]),
        "doubts": {kind: [row for row in shown if row["kind"] == kind] for kind in KINDS},
    }


def _playable(row: Record, sounds: Path, page: Path) -> Record:
    """Return a doubted label with the address of its clip's sound; None if there is no file."""
    there = bool(row["sound"]) and (sounds / row["sound"]).is_file()
    scores = {name: number(row[name]) for name in ("score", "better_score")}
    labels = row["labels"].split(",") if row["labels"] else []
    return {
        **row,
        **scores,
        "labels": labels,
        "url": address(sounds / row["sound"], page) if there else None,
    }


def address(file: Path, page: Path) -> str:
    """Return the relative URL of a file for a page in the directory `page`."""
    return quote(PurePath(os.path.relpath(file, page)).as_posix())


def _weakest_first(rows: Table) -> Sequence[Record]:
    known = [row for row in _numbers(rows) if row["AP"] is not None]
    return sorted(known, key=lambda row: (row["AP"], row["label"]))


def _numbers(rows: Table) -> list[Record]:
    names = {"label", "taken_for"}
    return [{k: v if k in names else number(v) for k, v in row.items()} for row in rows]
