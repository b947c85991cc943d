"""Which labels a model takes for which others, where a clip may have several."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def confusions(targets: np.ndarray, scores: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """Count, for each pair of labels, the clips on which a wrong one outranks a right one.

    A clip is confused for each label that it has and that scores below the best label it does not
    have, and counts for the pair of these two only. So a clip without a rival to its labels counts
    nowhere, and the counts of a label add up to at most its number of clips.

    Parameters
    ----------
    targets
        (clips, classes) 0/1.
    scores
        (clips, classes).
    labels
        Of the classes.

    Returns
    -------
    pandas.DataFrame
        label, taken_for, clips with the label, confused ones of them, and their fraction. Pairs
        with the most confused clips first; pairs without any are left out.
    """
    absent = np.where(targets > 0, -np.inf, scores)
    rival = absent.argmax(axis=1)
    clip, label = np.nonzero((targets > 0) & (scores < absent.max(axis=1)[:, None]))
    pairs = pd.DataFrame({"label": label, "taken_for": rival[clip]})
    table = pairs.groupby(["label", "taken_for"]).size().reset_index(name="confused")
    table["clips"] = (targets > 0).sum(axis=0)[table["label"]]
    table["fraction"] = table["confused"] / table["clips"]
    names = np.array(labels, dtype=object)
    table = table.assign(label=names[table["label"]], taken_for=names[table["taken_for"]])
    table = table.sort_values(
        ["confused", "fraction", "label", "taken_for"], ascending=[False, False, True, True]
    )
    columns = ["label", "taken_for", "clips", "confused", "fraction"]
    return table[columns].reset_index(drop=True)
