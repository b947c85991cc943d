"""Clips whose labels disagree with out-of-sample scores.

Scores of different labels are compared through thresholds of each label's own, as in confident
learning (Northcutt, Jiang, Chuang: Confident Learning, JAIR 70, 2021), here for one label at a time
because a clip may have several. The thresholds are between the mean score of the clips without the
label and that of the clips with it: a label is unlikely in the lowest quarter of this range and
below, and missing in the highest quarter and above. At the means themselves, where confident
learning has its thresholds, half of the clips that have another label's sound would pass unnoticed.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

UNLIKELY, MISSING = "unlikely label", "missing label"
MARGIN = 0.25  # of the range between the two means, within which a score counts as one of them
NOWHERE = -np.inf  # score of a label that is not considered


def find_doubts(targets: np.ndarray, scores: np.ndarray, vocabulary: Sequence[str]) -> pd.DataFrame:
    """Return the doubted labels, at most one per clip, the most doubtful ones of each kind first.

    An unlikely label is ranked by how far the best label that the clip does not have outscores it;
    a missing label by its score.

    Parameters
    ----------
    targets
        (clips, classes) 0/1.
    scores
        (clips, classes) out-of-sample scores.
    vocabulary
        Class labels.

    Returns
    -------
    pandas.DataFrame
        kind, rank (from 1, within the kind), row (of the clip), label, score, and better, the best
        label that the clip does not have, with better_score.
    """
    with_label, without = targets > 0, targets == 0
    low, high = _means(scores, without), _means(scores, with_label)
    margin = MARGIN * np.where(high > low, high - low, np.nan)  # NaN: nothing was learned, no doubt
    absent = np.where(without, scores, NOWHERE)
    lowest = np.where(with_label & (scores <= low + margin), -scores, NOWHERE)
    highest = np.where(without & (scores >= high - margin), scores, NOWHERE)
    label, missing, better = (array.argmax(axis=1) for array in (lowest, highest, absent))
    rows = np.arange(len(scores))
    unlikely = lowest[rows, label] > NOWHERE
    lacking = (highest[rows, missing] > NOWHERE) & ~unlikely
    table = pd.DataFrame(
        {
            "kind": np.where(unlikely, UNLIKELY, MISSING),
            "row": rows,
            "label": np.where(unlikely, label, missing),
            "better": better,
        }
    )
    table["score"] = scores[rows, table["label"]]
    table["better_score"] = scores[rows, better]
    outscored = table["better_score"] - table["score"]
    table["doubt"] = np.where(unlikely, outscored, table["score"])
    table = table[unlikely | lacking].sort_values(
        ["kind", "doubt"], ascending=[False, False], kind="stable"
    )
    names = np.array(vocabulary, dtype=object)
    table = table.assign(label=names[table["label"]], better=names[table["better"]])
    table["rank"] = table.groupby("kind").cumcount() + 1
    columns = ["kind", "rank", "row", "label", "score", "better", "better_score"]
    return table[columns].reset_index(drop=True)


def _means(scores: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return each label's mean score over the chosen clips, NaN for a label without any."""
    counts = chosen.sum(axis=0)
    return np.where(
        counts > 0, np.where(chosen, scores, 0).sum(axis=0) / np.maximum(counts, 1), np.nan
    )
