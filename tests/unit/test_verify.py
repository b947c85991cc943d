"""When two runs' results count as the same."""

import pytest

from tools.verify import Comparison, reproduced, table

SAME, NEAR, FAR = (Comparison(f"m-{n}", 0.5 + d, 0.5) for n, d in enumerate((0, -0.03, 0.0301)))
GONE, NEW = Comparison("gone-1", None, 0.5), Comparison("new-1", 0.5, None)


@pytest.mark.parametrize(
    ("rows", "same", "sentence"),
    [
        ([SAME, NEAR], True, "reproduced: 2 of 2 within 0.03"),
        ([SAME, NEW], True, "reproduced: 1 of 1 within 0.03"),
        ([SAME, FAR], False, "not reproduced: 1 of 2 within 0.03; m-2 differs most, by +0.0301"),
        ([SAME, GONE], False, "not reproduced: 1 of 2 within 0.03; gone-1 has no result here"),
        ([GONE], False, "not reproduced: nothing has been trained here; run `dvc repro`"),
        ([NEW], False, "nothing to compare with: no training of params.yaml is committed"),
    ],
)
def test_every_committed_training_must_be_within_the_tolerance(rows, same, sentence):
    assert reproduced(rows, 0.03) == (same, sentence)


def test_the_table_shows_what_there_is():
    lines = table([FAR, GONE, NEW])
    assert [line.split() for line in lines[1:]] == [
        ["m-2", "0.5301", "0.5000", "+0.0301"],
        ["gone-1", "-", "0.5000"],
        ["new-1", "0.5000", "-"],
    ]
