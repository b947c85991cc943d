"""What sentences for the user are made of."""

import pytest

from lean_audio.errors import join_first


@pytest.mark.parametrize(
    ("values", "limit", "joined"),
    [
        ([], 5, ""),
        (["a"], 5, "a"),
        ("abcde", 5, "a, b, c, d, e"),
        ("abcdef", 5, "a, b, c, d, e and 1 more"),
        (range(100), 2, "0, 1 and 98 more"),
        (iter("abc"), 1, "a and 2 more"),
    ],
)
def test_the_first_values_are_listed_and_the_others_counted(values, limit, joined):
    assert join_first(values, limit) == joined
