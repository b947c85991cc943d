"""Which groups of weights can be stored or computed more coarsely: tried one by one, then summed.

Each group is given the coarser kind while all others stay 8-bit weights, and the validation clips
of the probe are scored. The groups are then joined, the least harm for each byte saved first (or
the least harm, where a kind saves no bytes), and the longest join whose loss of mAP on the probe
stays within the budget is kept.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from lean_audio.device_scoring import Clips, score_mixes
from lean_audio.metrics import mean_average_precision
from lean_audio.recipes import EVERYTHING, Mix, groups_of, quantize

BASE: Mix = {EVERYTHING: "int8"}
SAVES_BYTES = ("int4",)


def probe(
    model: Path, kind: str, clips: Clips, max_drop: float, workers: int
) -> tuple[Mix, pd.DataFrame]:
    """The mix that was chosen for `kind`, and the table of what each group does.

    Table: group, kind, bytes saved against 8-bit weights, mAP drop and mean absolute score
    difference against the float32 model, whether the group is in the mix, and the mAP drop of
    this group joined with all those above it.
    """
    content = model.read_bytes()
    groups = groups_of(content)
    alone = [BASE | {group: kind} for group in groups]
    exact, base, *scores = score_mixes(model, [{}, BASE, *alone], clips, workers, f"probe {kind}")
    table = pd.DataFrame({"group": groups, "kind": kind})
    table["saved_bytes"] = len(quantize(content, BASE)) - np.array(
        [len(quantize(content, mix)) for mix in alone]
    )
    targets = clips.targets()
    table["mAP_drop"] = _drops(targets, exact, scores)
    table["score_difference"] = [_difference(exact, score) for score in scores]
    harm = table["score_difference"] - _difference(exact, base)
    table["order"] = harm / table["saved_bytes"] if kind in SAVES_BYTES else harm
    table = table.sort_values(["order", "group"], ignore_index=True).drop(columns="order")
    joins = [BASE | dict.fromkeys(table["group"][: count + 1], kind) for count in range(len(table))]
    joined = score_mixes(model, joins, clips, workers, f"join {kind}")
    table["joined_mAP_drop"] = _drops(targets, exact, joined)
    within = np.flatnonzero(table["joined_mAP_drop"] <= max_drop)
    kept = within[-1] + 1 if len(within) else 0
    table["chosen"] = np.arange(len(table)) < kept
    return BASE | dict.fromkeys(table["group"][:kept], kind), table


def _difference(exact: np.ndarray, scores: np.ndarray) -> float:
    return float(np.abs(scores - exact).mean())


def _drops(targets: np.ndarray, exact: np.ndarray, scores: list[np.ndarray]) -> list[float]:
    reference = mean_average_precision(targets, exact)
    return [reference - mean_average_precision(targets, score) for score in scores]
