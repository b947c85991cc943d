"""Which groups of weights tolerate a coarser type: probed one by one, then combined.

Each group in turn gets the coarser kind, while all others stay as they are in BASE, and the probe's
validation clips are scored. The groups are sorted by sensitivity per byte saved (by sensitivity
alone if a kind saves no bytes), and as many of the first are combined as change the scores no
further than allowed. The criterion is the change of the scores, not the mAP drop, which on a few
hundred clips is mostly noise.
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
    """Choose the groups that get the coarser `kind`.

    Parameters
    ----------
    pool
        Processes that score.
    model
        The float32 .tflite.
    kind
        Of recipes: how a chosen group is stored and computed.
    clips
        Validation clips to score.
    max_change
        Largest mean absolute score change, relative to the mean score, beyond that of BASE. The
        number of groups that it allows is found by bisection.

    Returns
    -------
    tuple
        The mix, and a table of the groups in the order in which they are combined: bytes saved
        against BASE, mAP drop and score change against float32, score change with all groups above
        (NaN where the bisection did not evaluate it), and whether it was chosen. A group that
        should save bytes and does not comes last and is never chosen.
    """
    targets, groups = clips.targets(), groups_of(model.read_bytes())
    mixes = [{}, BASE, *(BASE | {group: kind} for group in groups)]
    reference, base, *alone = score_mixes(pool, model, mixes, clips, f"probe {kind}")
    table = _sensitivity(kind, groups, targets, reference.scores, base, alone)
    order = list(table["group"][table["useful"]])
    changes = pd.Series(np.nan, index=table["group"])
    base_change = change(reference.scores, base.scores)

    def added_change(count: int) -> float:
        mix = BASE | dict.fromkeys(order[:count], kind)
        (scored,) = score_mixes(pool, model, [mix], clips, f"{kind}: {count} groups")
        changes[order[count - 1]] = change(reference.scores, scored.scores)
        return changes[order[count - 1]] - base_change

    taken = bisect_right(range(1, len(order) + 1), max_change, key=added_change)
    table["cumulative_change"] = changes.to_numpy()
    table["chosen"] = table.index < taken
    return BASE | dict.fromkeys(order[:taken], kind), table.drop(columns="useful")


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
    table["useful"] = (saved > 0) | (kind not in SAVES_BYTES)
    table["order"] = added / saved.clip(lower=1) if kind in SAVES_BYTES else added
    by = ["useful", "order", "group"]
    table = table.sort_values(by, ascending=[False, True, True], ignore_index=True)
    return table.drop(columns="order")


def _drop(targets: np.ndarray, reference: np.ndarray, scores: np.ndarray) -> float:
    return mean_average_precision(targets, reference) - mean_average_precision(targets, scores)
