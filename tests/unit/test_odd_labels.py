"""Labels that a reader of tables may take for a number or for nothing."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
from own_sounds import read, write_sounds

from lean_audio.features.prepare import count_classes
from lean_audio.tracking import sync

ODD = ("1.0", "NA", "None", "null")


def test_counts_have_a_row_per_label(tmp_path):
    root = write_sounds(tmp_path, [f"{label}/{n}.wav" for label in ODD for n in range(4)])
    dataset = read(root)
    assert dataset.vocabulary == ODD
    counts = count_classes(dataset.clips, dataset.vocabulary)
    assert counts["label"].tolist() == list(ODD)
    assert counts[["train", "val", "eval"]].sum(axis=1).tolist() == [4] * 4


def test_charts_that_are_logged_name_every_label():
    table = pd.DataFrame({"label": ODD, "recall": 0.5, "precision": 0.5})
    files = {"tables/pr.csv": table.to_csv(index=False).encode()}
    record: Any = SimpleNamespace(artifacts={"results": files}, tags={"variant": "plus"})
    drawn = sync._plots(record)["plots/precision_recall.svg"].decode()
    for label in ODD:
        assert f">{label}<" in drawn
