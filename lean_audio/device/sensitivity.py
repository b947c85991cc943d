"""Which groups of weights tolerate a coarser type: probed one by one, then combined.

Each group in turn gets the coarser kind, while all others stay as they are in BASE, and the probe's
validation clips are scored. The groups are sorted by sensitivity per byte saved (by sensitivity
alone if a kind saves no bytes), and as many of the first are combined as change the scores no
further than allowed. The criterion is the change of the scores, not the mAP drop, which on a few
hundred clips is mostly noise.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from lean_audio.device.recipes import BASE, Mix, groups_of
from lean_audio.device.score import Clips, Scored, score_mixes
from lean_audio.metrics.average_precision import mean_average_precision

SAVES_BYTES = ("int4",)
# Kind -> groups that never get it. Integer arithmetic saves time in all groups but this one, for
# which the runtime has no fast kernels: with it, `plus` takes 1.4, not 0.6 times YAMNet's time.
UNSUITABLE = {"dynamic": ("stem and depthwise",)}


def probe(
    pool: ProcessPoolExecutor, model: Path, max_changes: Mapping[str, float], clips: Clips
) -> tuple[dict[str, Mix], pd.DataFrame]:
    """Choose the groups that get a coarser kind, for each of several kinds.

    Parameters
    ----------
    pool
        Processes that score.
    model
        The float32 .tflite.
    max_changes
        Kind of recipes (how a chosen group is stored and computed) -> largest mean absolute score
        change, relative to the mean score, beyond that of BASE. The number of groups that it allows
        is found by bisection.
    clips
        Validation clips to score.

    Returns
    -------
    tuple
        The mix of each kind, and a table of the groups of each kind in the order in which they are
        combined: bytes saved against BASE, mAP drop and score change against float32, score change
        with all groups above (NaN where the bisection did not evaluate it), and whether it was
        chosen. A group that should save bytes or time and does not comes last and is never
        chosen.
    """
    if not max_changes:
        return {}, pd.DataFrame()
    groups = groups_of(model.read_bytes())
    alone = [BASE | {group: kind} for kind in max_changes for group in groups]
    reference, base, *coarser = score_mixes(pool, model, [{}, BASE, *alone], clips, "probe groups")

    def change_of(mix: Mix, title: str) -> float:
        (scored,) = score_mixes(pool, model, [mix], clips, title)
        return change(reference.scores, scored.scores)

    mixes, tables, targets = {}, [], clips.targets()
    for kind, max_change in max_changes.items():
        of_kind, coarser = coarser[: len(groups)], coarser[len(groups) :]
        table = _sensitivity(kind, groups, targets, reference.scores, base, of_kind)
        limit = change(reference.scores, base.scores) + max_change
        mixes[kind], table = _combined(table, kind, limit, change_of)
        tables.append(table)
    return mixes, pd.concat(tables)


def _combined(
    table: pd.DataFrame, kind: str, limit: float, change_of: Callable[[Mix, str], float]
) -> tuple[Mix, pd.DataFrame]:
    """Combine as many of the table's groups as change the scores by at most `limit`."""
    order = list(table["group"][table["useful"]])
    changes = pd.Series(np.nan, index=table["group"])

    def mix_of(count: int) -> Mix:
        return BASE | dict.fromkeys(order[:count], kind)

    def cumulative_change(count: int) -> float:
        changes[order[count - 1]] = change_of(mix_of(count), f"{kind}: {count} groups")
        return changes[order[count - 1]]

    taken = bisect_right(range(1, len(order) + 1), limit, key=cumulative_change)
    table["cumulative_change"] = changes.to_numpy()
    table["chosen"] = table.index < taken
    return mix_of(taken), table.drop(columns="useful")


def change(reference: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean absolute difference of two score arrays, relative to the reference's mean.

    Infinite if scores are not finite or the reference is all zeros.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.abs(scores - reference).mean(dtype=np.float64)
        relative = float(difference / reference.mean(dtype=np.float64))
    return np.inf if np.isnan(relative) else relative


def _sensitivity(
    kind: str,
    groups: list[str],
    targets: np.ndarray,
    reference: np.ndarray,
    base: Scored,
    alone: list[Scored],
) -> pd.DataFrame:
    """Tabulate what each group does when it alone is coarser, the least sensitive first."""
    table = pd.DataFrame({"group": groups, "kind": kind})
    table["saved_bytes"] = [base.size_bytes - scored.size_bytes for scored in alone]
    table["mAP_drop"] = [_drop(targets, reference, scored.scores) for scored in alone]
    table["score_change"] = [change(reference, scored.scores) for scored in alone]
    added, saved = table["score_change"] - change(reference, base.scores), table["saved_bytes"]
    suitable = ~table["group"].isin(UNSUITABLE.get(kind, ()))
    table["useful"] = suitable & ((saved > 0) | (kind not in SAVES_BYTES))
    table["order"] = added / saved.clip(lower=1) if kind in SAVES_BYTES else added
    by = ["useful", "order", "group"]
    table = table.sort_values(by, ascending=[False, True, True], ignore_index=True)
    return table.drop(columns="order")


def _drop(targets: np.ndarray, reference: np.ndarray, scores: np.ndarray) -> float:
    return mean_average_precision(targets, reference) - mean_average_precision(targets, scores)
