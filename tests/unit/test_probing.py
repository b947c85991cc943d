"""Which groups of weights get a coarser type, in a network where each group adds to one score."""

import numpy as np
import pandas as pd
import pytest

from lean_audio.device import sensitivity
from lean_audio.device.recipes import BASE
from lean_audio.device.score import Scored

EXACT = np.full((2, 4), 0.5, np.float32)
ADDED = {"a": 0.01, "b": 0.08, "c": 0.03, "d": 0.0, "e": 0.2}  # added to one score of four
SAVED_BYTES = {"a": 100, "b": 1000, "c": 100, "d": -10, "e": 1000}


class Targets:
    def targets(self) -> np.ndarray:
        return np.eye(2, 4, dtype=np.uint8)


@pytest.fixture
def probe(tmp_path, monkeypatch):
    """(kind, max_change, added) -> mix and table."""

    def run(kind: str, max_change: float, added: dict[str, float]):
        def score_mixes(_pool, _model, mixes, _clips, _title):
            return [scored(mix) for mix in mixes]

        def scored(mix) -> Scored:
            coarse = [group for group in mix if mix[group] == kind]
            scores = EXACT.copy()
            scores[:, 0] += sum(added[group] for group in coarse) + (0.004 if mix else 0)
            return Scored(scores, 10_000 - sum(SAVED_BYTES[group] for group in coarse))

        monkeypatch.setattr(sensitivity, "score_mixes", score_mixes)
        monkeypatch.setattr(sensitivity, "groups_of", lambda _: list(added))
        (tmp_path / "model").write_bytes(b"")
        limits = {"other": 0.0, kind: max_change}
        mixes, table = sensitivity.probe(None, tmp_path / "model", limits, Targets())
        return mixes[kind], table[table["kind"] == kind]

    return run


def test_the_least_change_per_byte_comes_first_and_what_saves_none_never(probe):
    mix, table = probe("int4", 0.06, ADDED)  # of a mean of 0.5, in one score of four: 0.12 in all
    assert table["group"].tolist() == ["b", "a", "e", "c", "d"]
    assert table[table["chosen"]]["group"].tolist() == ["b", "a"]
    assert mix == BASE | {"b": "int4", "a": "int4"}
    assert table["saved_bytes"].tolist() == [1000, 100, 1000, 100, -10]
    known = table.set_index("group")["cumulative_change"].dropna()
    assert known["a"] == pytest.approx((0.01 + 0.08 + 0.004) / 4 / 0.5, rel=1e-5)
    assert known["e"] - 0.004 / 2 > 0.06


def test_where_no_bytes_are_saved_the_least_change_comes_first(probe):
    mix, table = probe("dynamic", 0.03, ADDED)
    assert table["group"].tolist() == ["d", "a", "c", "b", "e"]
    assert mix == BASE | {"d": "dynamic", "a": "dynamic", "c": "dynamic"}


def test_depthwise_layers_never_compute_in_integers_for_which_there_are_no_fast_kernels(
    probe, monkeypatch
):
    added = ADDED | {"stem and depthwise": 0.0}
    monkeypatch.setitem(SAVED_BYTES, "stem and depthwise", 1000)
    mix, table = probe("dynamic", 1.0, added)
    assert mix["stem and depthwise"] == BASE["stem and depthwise"]
    assert table["group"].tolist()[-1] == "stem and depthwise"
    assert table["chosen"].tolist() == [True] * 5 + [False]
    mix, _ = probe("int4", 1.0, added)
    assert mix["stem and depthwise"] == "int4"


@pytest.mark.parametrize(("max_change", "count"), [(0.0, 0), (1.0, 4)])
def test_nothing_or_all_that_is_useful_can_be_taken(probe, max_change, count):
    mix, table = probe("int4", max_change, ADDED)
    assert len(mix) == len(BASE) + count
    assert table["chosen"].sum() == count


def test_what_gives_no_finite_scores_is_never_taken(probe):
    mix, _ = probe("int4", 1.0, ADDED | {"a": np.nan, "b": np.nan, "c": np.nan, "e": np.nan})
    assert mix == BASE


def test_the_change_of_scores_is_relative_to_their_mean():
    assert sensitivity.change(EXACT, EXACT + 0.05) == pytest.approx(0.1, rel=1e-5)
    assert sensitivity.change(0 * EXACT, EXACT) == np.inf
    assert sensitivity.change(0 * EXACT, 0 * EXACT) == np.inf
    assert isinstance(sensitivity.change(EXACT, EXACT), float)
    assert pd.notna(sensitivity.change(EXACT, np.nan * EXACT))
