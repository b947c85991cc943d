"""Compare the evaluation mAP here with the committed one (`make verify`)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dvc.api
from dvc.exceptions import DvcException
from git import InvalidGitRepositoryError, Repo
from git.exc import BadName

from lean_audio.config.params import Params, load_params
from lean_audio.config.paths import TrainingPaths
from lean_audio.errors import LeanError
from lean_audio.files import read_json, sha256
from lean_audio.metrics.evaluate import DIGITS
from stages import run_stage

ROUNDING = 1e-9  # of the difference of two numbers with four decimals
PROVENANCE = "provenance.json"


@dataclass(frozen=True)
class Comparison:
    """The mAP of one training here and at a revision; None where there is none."""

    name: str
    here: float | None
    committed: float | None

    @property
    def difference(self) -> float | None:
        if self.here is None or self.committed is None:
            return None
        return self.here - self.committed


def compare(params: Params, revision: str) -> list[Comparison]:
    """Compare every training of this params file with the same one at a git revision.

    A training is here if its trained weights are, and its metrics were measured of them.

    Raises
    ------
    LeanError
        If there is no such revision, or its results are of other clips or another YAMNet.
    """
    files = {
        f"{model}-{seed}": params.paths.training(model, seed)
        for seed in params.seeds
        for model in params.variants
    }
    paths = {name: (place.record / "metrics.json").as_posix() for name, place in files.items()}
    committed = _read_committed(params, list(paths.values()), revision)
    return [
        Comparison(name, _measured_here(files[name]), committed.get(path))
        for name, path in paths.items()
    ]


def _measured_here(training: TrainingPaths) -> float | None:
    """Return the mAP of the weights that are here."""
    metrics = training.record / "metrics.json"
    if not (training.weights.is_file() and metrics.is_file()):
        return None
    found = read_json(metrics)
    return found["mAP"] if found["weights"] == sha256(training.weights)[:DIGITS] else None


def _read_committed(params: Params, files: list[str], revision: str) -> dict[str, float | None]:
    """Return the mAP in those of the files that the revision has."""
    _check_revision(revision)
    try:
        tree = dvc.api.DVCFileSystem(rev=revision)
        there = [file for file in files if tree.exists(file)]
        if there:
            _check_origin(params, json.loads(tree.read_text(_provenance(params).as_posix())))
        shown = dvc.api.metrics_show(*there, rev=revision) if there else {}
    except (DvcException, FileNotFoundError, ValueError) as error:
        raise LeanError(f"the results at {revision} cannot be read: {error}") from None
    return {file: shown.get(f"{file}:mAP" if len(there) > 1 else "mAP") for file in there}


def _check_revision(revision: str) -> None:
    try:
        Repo(search_parent_directories=True).commit(revision)
    except InvalidGitRepositoryError:
        raise LeanError("nothing to compare with: this is no git repository") from None
    except (BadName, ValueError):
        raise LeanError(f"nothing to compare with: git has no revision {revision!r}") from None


def _provenance(params: Params) -> Path:
    return params.paths.metrics / PROVENANCE


def _check_origin(params: Params, theirs: dict[str, Any]) -> None:
    """Raise LeanError unless both results are of the same clips, as far as is known, and YAMNet."""
    if not _provenance(params).is_file():
        return
    ours = read_json(_provenance(params))
    for part, keys in (("dataset", ("origin", "classes", "clips")), ("yamnet", ("source",))):
        for key in keys:
            if ours[part][key] != theirs[part][key]:
                raise LeanError(
                    f"nothing to compare with: {part}.{key} is {ours[part][key]} here and "
                    f"{theirs[part][key]} as committed"
                )


def table(rows: Sequence[Comparison]) -> list[str]:
    """Return the lines of the table."""
    lines = [f"{'mAP':<24}{'here':>9}{'committed':>11}{'difference':>12}"]
    for row in rows:
        here, committed = (
            "-" if value is None else f"{value:.4f}" for value in (row.here, row.committed)
        )
        change = "" if row.difference is None else f"{row.difference:+z.4f}"
        lines.append(f"{row.name:<24}{here:>9}{committed:>11}{change:>12}")
    return lines


def reproduced(rows: Sequence[Comparison], tolerance: float) -> tuple[bool, str]:
    """Return whether every committed training is reproduced, and the sentence that says so."""
    committed = [row for row in rows if row.committed is not None]
    if not committed:
        return False, "nothing to compare with: no training of params.yaml is committed"
    gaps = {row.name: gap for row in committed if (gap := row.difference) is not None}
    if not gaps:
        return False, "not reproduced: nothing has been trained here; run `dvc repro`"
    close = [name for name, gap in gaps.items() if abs(gap) <= tolerance + ROUNDING]
    counts = f"{len(close)} of {len(committed)} within {tolerance:g}"
    if len(close) == len(committed):
        return True, f"reproduced: {counts}"
    if missing := [row.name for row in committed if row.name not in gaps]:
        return False, f"not reproduced: {counts}; {missing[0]} has no result here"
    worst = max(gaps, key=lambda name: abs(gaps[name]))
    return False, f"not reproduced: {counts}; {worst} differs most, by {gaps[worst]:+.4f}"


def main(revision: str) -> None:
    params = load_params()
    rows = compare(params, revision)
    same, sentence = reproduced(rows, params.verify.tolerance)
    print(*table(rows), sentence, sep="\n")
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    run_stage(main)
