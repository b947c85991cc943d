"""Clips whose labels disagree with out-of-sample scores.

Scores of different labels are compared through thresholds of each label's own, as in confident
learning (Northcutt, Jiang, Chuang: Confident Learning, JAIR 70, 2021), here for one label at a time
because a clip may have several: a clip without a label is taken to have it if it scores at least
the mean of the clips that have it, and a clip with a label is taken not to have it if it scores at
most the mean of the clips that do not.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

UNLIKELY, MISSING = "unlikely label", "missing label"
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
    absent = np.where(without, scores, NOWHERE)
    lowest = np.where(with_label & (scores <= _means(scores, without)), -scores, NOWHERE)
    highest = np.where(without & (scores >= _means(scores, with_label)), scores, NOWHERE)
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
    table["doubt"] = table["better_score"] - np.where(unlikely, table["score"], 0)
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
