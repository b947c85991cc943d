"""Compare the evaluation mAP here with the committed one (`make verify`)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import dvc.api
from dvc.exceptions import DvcException
from scmrepo.exceptions import SCMError

from lean_audio.config.params import Params, load_params
from lean_audio.errors import LeanError
from stages import run_stage

ROUNDING = 1e-9  # both have four decimals


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
    """Compare the trainings of this params file that are here with those of a git revision.

    Raises LeanError if none is here.
    """
    paths = {
        f"{model}-{seed}": (params.paths.training(model, seed).record / "metrics.json").as_posix()
        for seed in params.seeds
        for model in params.variants
    }
    here, committed = _read(paths.values(), None), _read(paths.values(), revision)
    rows = [Comparison(n, here[p], committed.get(p)) for n, p in paths.items() if p in here]
    if not rows:
        raise LeanError(f"{params.paths.metrics} has no evaluated training: run `dvc repro`")
    return rows


def _read(files: Collection[str], revision: str | None) -> dict[str, float | None]:
    """Return the mAP in those of the files that a revision has; None is the workspace."""
    try:
        there = list(filter(dvc.api.DVCFileSystem(rev=revision).exists, files))
        shown = dvc.api.metrics_show(*there, rev=revision) if there else {}
    except (DvcException, SCMError):  # there is no such revision, or no git repository
        return {}
    return {file: shown[f"{file}:mAP" if len(there) > 1 else "mAP"] for file in there}


def table(rows: Sequence[Comparison]) -> list[str]:
    """Return the lines of the table."""
    lines = [f"{'mAP':<24}{'here':>9}{'committed':>11}{'difference':>12}"]
    for row in rows:
        cells = ("" if value is None else f"{value:.4f}" for value in (row.here, row.committed))
        here, committed = cells
        change = "" if row.difference is None else f"{row.difference:+z.4f}"
        lines.append(f"{row.name:<24}{here:>9}{committed:>11}{change:>12}")
    return lines


def reproduced(rows: Sequence[Comparison], tolerance: float) -> tuple[bool, str]:
    """Return whether every committed training is reproduced, and the sentence that says so."""
    gaps = {row.name: gap for row in rows if (gap := row.difference) is not None}
    if not gaps:
        return False, "nothing to compare: no training here is committed"
    close = [name for name, gap in gaps.items() if abs(gap) <= tolerance + ROUNDING]
    counts = f"{len(close)} of {len(gaps)} within {tolerance:g}"
    if len(close) == len(gaps):
        return True, f"reproduced: {counts}"
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
