"""Which groups of weights can be stored or computed more coarsely: tried one by one, then summed.

Each group is given the coarser kind while all others stay as they are in BASE, and the validation
clips of the probe are scored. Then the groups are gone through, the least harm for each byte saved
first (or the least harm, where a kind saves no bytes), and each joins those already chosen unless
the loss of mAP of them all on the probe would leave the budget, until the file is small enough.
"""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from lean_audio.device_scoring import Clips, Scored, score_mixes
from lean_audio.metrics import mean_average_precision
from lean_audio.recipes import BASE, Mix, groups_of

SAVES_BYTES = ("int4",)


def probe(
    pool: ProcessPoolExecutor,
    model: Path,
    kind: str,
    clips: Clips,
    *,
    max_drop: float,
    enough_bytes: int = 0,
) -> tuple[Mix, pd.DataFrame]:
    """The mix that was chosen for `kind`, and the table of what each group does.

    enough_bytes: no group is added to a mix whose file is this small already.
    Table, in the order of trial: group, kind, bytes saved against BASE, mAP drop and mean absolute
    score difference against the float32 model, mAP drop of the group with those chosen before it
    (NaN if not tried), and whether it was chosen.
    """
    targets, groups = clips.targets(), groups_of(model.read_bytes())
    mixes = [{}, BASE, *(BASE | {group: kind} for group in groups)]
    exact, base, *alone = score_mixes(pool, model, mixes, clips, f"probe {kind}")
    table = _harm(kind, groups, targets, exact.scores, base, alone)
    mix, size_bytes, drops = BASE, base.size_bytes, dict.fromkeys(table["group"], np.nan)
    for group in drops:
        if size_bytes <= enough_bytes:
            break
        joined = mix | {group: kind}
        (scored,) = score_mixes(pool, model, [joined], clips, f"{kind}: {group}")
        drops[group] = _drop(targets, exact.scores, scored.scores)
        if drops[group] <= max_drop:
            mix, size_bytes = joined, scored.size_bytes
    table["joined_mAP_drop"] = list(drops.values())
    table["chosen"] = [mix.get(group) == kind for group in table["group"]]
    return mix, table


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
    table["score_difference"] = [_difference(exact, scored.scores) for scored in alone]
    harm = table["score_difference"] - _difference(exact, base.scores)
    table["order"] = harm / table["saved_bytes"].clip(lower=1) if kind in SAVES_BYTES else harm
    return table.sort_values(["order", "group"], ignore_index=True).drop(columns="order")


def _difference(exact: np.ndarray, scores: np.ndarray) -> float:
    return float(np.abs(scores - exact).mean())


def _drop(targets: np.ndarray, exact: np.ndarray, scores: np.ndarray) -> float:
    return mean_average_precision(targets, exact) - mean_average_precision(targets, scores)
