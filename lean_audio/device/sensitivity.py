"""Which groups of weights can be stored or computed more coarsely: tried one by one, then joined.

Each group is given the coarser kind while all others stay as they are in BASE, and the validation
clips of the probe are scored. The groups are put in order, the least harm for each byte saved
first (or the least harm, where a kind saves no bytes), and as many of the first are taken together
as change the scores no further than allowed. What is judged is the change of the scores, not the
loss of mAP: on a few hundred clips the latter is mostly noise.
"""

from bisect import bisect_right
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from lean_audio.device.recipes import BASE, Mix, groups_of
from lean_audio.device.score import Clips, Scored, score_mixes
from lean_audio.metrics.average_precision import mean_average_precision

SAVES_BYTES = ("int4",)


def probe(
    pool: ProcessPoolExecutor, model: Path, kind: str, clips: Clips, *, max_change: float
) -> tuple[Mix, pd.DataFrame]:
    """The mix that was chosen for `kind`, and the table of what each group does.

    max_change: mean absolute change of a score that is allowed, as a share of the mean score, over
    that which BASE makes. How many groups that allows is sought by halves.
    Table, in the order of taking: group, kind, bytes saved against BASE, mAP drop and change of
    the scores against the float32 model, change with all the groups above too (NaN where the
    search did not ask), and whether it was taken. What should save bytes and does not is last, and
    never taken.
    """
    targets, groups = clips.targets(), groups_of(model.read_bytes())
    mixes = [{}, BASE, *(BASE | {group: kind} for group in groups)]
    exact, base, *alone = score_mixes(pool, model, mixes, clips, f"probe {kind}")
    table = _harm(kind, groups, targets, exact.scores, base, alone)
    order = list(table["group"][table["useful"]])
    changes = pd.Series(np.nan, index=table["group"])
    base_change = change(exact.scores, base.scores)

    def added(count: int) -> float:
        mix = BASE | dict.fromkeys(order[:count], kind)
        (scored,) = score_mixes(pool, model, [mix], clips, f"{kind}: {count} groups")
        changes[order[count - 1]] = change(exact.scores, scored.scores)
        return changes[order[count - 1]] - base_change

    taken = bisect_right(range(1, len(order) + 1), max_change, key=added)
    table["joined_change"] = changes.to_numpy()
    table["chosen"] = table.index < taken
    return BASE | dict.fromkeys(order[:taken], kind), table.drop(columns="useful")


def change(exact: np.ndarray, scores: np.ndarray) -> float:
    """Mean absolute difference of two (clips, classes) of scores, as a share of the exact mean.

    Infinite where there are scores that are not finite, or nothing but zeros to compare with.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = float(np.abs(scores - exact).mean(dtype=np.float64) / exact.mean(dtype=np.float64))
    return np.inf if np.isnan(share) else share


def _harm(
    kind: str,
    groups: list[str],
    targets: np.ndarray,
    exact: np.ndarray,
    base: Scored,
    alone: list[Scored],
) -> pd.DataFrame:
    """What each group does when it alone is coarser, the least harm first."""
    table = pd.DataFrame({"group": groups, "kind": kind})
    table["saved_bytes"] = [base.size_bytes - scored.size_bytes for scored in alone]
    table["mAP_drop"] = [_drop(targets, exact, scored.scores) for scored in alone]
    table["score_change"] = [change(exact, scored.scores) for scored in alone]
    harm, saved = table["score_change"] - change(exact, base.scores), table["saved_bytes"]
    table["useful"] = (saved > 0) | (kind not in SAVES_BYTES)
    table["order"] = harm / saved.clip(lower=1) if kind in SAVES_BYTES else harm
    by = ["useful", "order", "group"]
    table = table.sort_values(by, ascending=[False, True, True], ignore_index=True)
    return table.drop(columns="order")


def _drop(targets: np.ndarray, exact: np.ndarray, scores: np.ndarray) -> float:
    return mean_average_precision(targets, exact) - mean_average_precision(targets, scores)
