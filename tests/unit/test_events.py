"""Events from scores: hand-worked cases, and a slow search that must agree on any scores."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lean_audio.errors import LeanError
from lean_audio.tagger import Choice, Event, EventFinder, Span, choose, find_events
from lean_audio.tagger.settings import make_finder, pair_of_thresholds

LABELS = ("Animal", "Dog", "Bark", "Rain")
PARENTS = {"Dog": ["Animal"], "Bark": ["Dog"]}
HIGH, LOW = 0.6, 0.3


def spans_of(scores, hop_s: float = 0.5, silent=(), end_s: float | None = None) -> list[Span]:
    """Chunks of 1 s; scores: (chunks,) of Rain or (chunks, labels); end_s: of the last one."""
    rows = np.array(scores, np.float32)
    rows = np.pad(rows[:, None], ((0, 0), (3, 0))) if rows.ndim == 1 else rows
    starts = np.arange(len(rows)) * hop_s
    ends = starts + 1
    if end_s is not None and len(rows):
        ends[-1] = end_s
    return [
        Span(float(start), float(end), row, number in silent)
        for number, (start, end, row) in enumerate(zip(starts, ends, rows, strict=True))
    ]


def finder(**settings) -> EventFinder:
    thresholds = {"threshold": HIGH, "low_threshold": LOW}
    return make_finder(LABELS, PARENTS, np.full(4, 0.5, np.float32), **thresholds | settings)


def found(scores, hop_s: float = 0.5, silent=(), **settings) -> list[tuple[float, float]]:
    events = find_events(spans_of(scores, hop_s, silent), finder(**settings))
    return [(event.onset_s, event.offset_s) for event in sorted(events)]


def test_a_chunk_stands_for_the_sound_around_its_middle():
    assert found([0, 0, 0.9, 0, 0]) == [(1.25, 1.75)]
    assert found([0, 0.9, 0], hop_s=1.0) == [(1.0, 2.0)]
    assert found([0.9, 0, 0]) == [(0.0, 0.75)]  # the first: from the start of the clip
    assert found([0, 0, 0.9]) == [(1.25, 2.0)]  # the last: to its end
    assert found([0.9]) == [(0.0, 1.0)]


def test_a_short_sound_is_placed_where_it_is():
    hop_s = 0.1
    starts = np.arange(60) * hop_s
    heard = (starts + 1 > 3.1) & (starts < 3.3)  # chunks with some of what sounds at 3.1 to 3.3 s
    ((onset_s, offset_s),) = found(np.where(heard, 0.9, 0.0), hop_s=hop_s)
    assert (onset_s + offset_s) / 2 == pytest.approx(3.2, abs=0.06)
    assert offset_s - onset_s < 1.25


def test_two_thresholds():
    assert found([0, 0.4, 0.7, 0.4, 0.2, 0.4, 0]) == [(0.75, 2.25)]
    assert found([0, 0.59, 0.59, 0]) == []
    assert found([0, 0.3, 0.6, 0.3, 0]) == [(0.75, 2.25)]  # both are reached exactly


def test_peak_and_mean_are_of_the_chunks_between_onset_and_offset():
    (event,) = find_events(spans_of([0.1, 0.4, 0.8, 0.5, 0.1]), finder())
    assert event == Event(0.75, 2.25, "Rain", np.float32(0.8), pytest.approx(1.7 / 3))
    (event,) = find_events(spans_of([0.1, 0.8, 0.2, 0.9, 0.1]), finder(max_gap_s=0.5))
    assert (event.peak, event.mean) == (pytest.approx(0.9), pytest.approx(1.9 / 3))


def test_gaps_are_bridged_before_short_events_are_left_out():
    scores = [0, 0.9, 0, 0.9, 0, 0, 0.9, 0]
    assert found(scores) == [(0.75, 1.25), (1.75, 2.25), (3.25, 3.75)]
    assert found(scores, max_gap_s=0.5) == [(0.75, 2.25), (3.25, 3.75)]
    assert found(scores, max_gap_s=0.49) == found(scores)
    assert found(scores, max_gap_s=0.5, min_duration_s=1.0) == [(0.75, 2.25)]
    assert found(scores, min_duration_s=1.0) == []
    assert found(scores, max_gap_s=9.0, min_duration_s=3.0) == [(0.75, 3.75)]


def test_a_gap_may_have_faint_sound_in_it():
    scores = [0, 0.9, 0, 0.4, 0, 0.9, 0]
    assert found(scores, max_gap_s=1.5) == [(0.75, 3.25)]
    assert found(scores, max_gap_s=1.0) == [(0.75, 1.25), (2.75, 3.25)]


def test_silence_has_no_events():
    assert found([0.9] * 6, silent=range(6)) == []
    assert found([0.9] * 6, silent=(2, 3)) == [(0.0, 1.25), (2.25, 3.5)]
    assert found([0.9] * 6, silent=(2, 3), max_gap_s=1.0) == [(0.0, 3.5)]
    (event,) = find_events(spans_of([0.8] * 4, silent=(1,)), finder(max_gap_s=1.0))
    assert event.mean == pytest.approx(0.6)


def test_an_event_is_told_as_soon_as_nothing_can_prolong_it():
    told, all_found = [], finder(max_gap_s=0.5)
    for span in spans_of([0, 0.9, 0, 0, 0, 0]):
        told.append(len(all_found.add(span)))
    assert told == [0, 0, 0, 0, 1, 0]  # the gap reaches 1 s with the chunk at 1.5 s
    assert all_found.close() == []


def test_nothing_of_a_sound_is_left_for_the_next_one():
    one = finder()
    assert [len(list(find_events(spans_of([0.9, 0.9]), one))) for _ in range(2)] == [1, 1]
    assert list(find_events([], one)) == []


def test_a_label_gives_way_to_a_more_specific_one_that_is_called():
    scores = [[0.9, 0.9, 0.1, 0.9], [0.9, 0.9, 0.8, 0.9], [0.9, 0.2, 0.1, 0.9]]
    events = find_events(spans_of(scores, hop_s=1.0), finder(leaves=True))
    by_label = {event.label: (event.onset_s, event.offset_s) for event in events}
    assert by_label == {"Dog": (0, 1), "Bark": (1, 2), "Animal": (2, 3), "Rain": (0, 3)}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"threshold": 1.1}, r"the threshold is 1.1; it must be auto or a number from 0 to 1"),
        ({"threshold": "high"}, "the threshold is 'high'"),
        ({"low_threshold": -1}, "the lower threshold is -1"),
        ({"threshold": float("nan")}, "the threshold is nan"),
        ({"low_threshold": 0.7}, r"the lower threshold \(0.7\) is above the threshold \(0.6\)"),
        ({"max_gap_s": -1}, "max_gap_s is -1; it must be a number of seconds from 0 on"),
        ({"min_duration_s": float("nan")}, "min_duration_s is nan"),
        ({"min_duration_s": float("inf")}, "min_duration_s is inf"),
    ],
)
def test_settings_that_are_not_allowed(settings, says):
    with pytest.raises(LeanError, match=says):
        finder(**settings)


def test_thresholds_of_each_label():
    own = np.array([0.2, 0.9], np.float32)
    np.testing.assert_allclose(pair_of_thresholds(own, "auto", "auto"), [own, own / 2])
    np.testing.assert_allclose(pair_of_thresholds(own, "auto", 0.5), [own, [0.2, 0.5]])
    np.testing.assert_allclose(pair_of_thresholds(own, 0.8, "auto"), [[0.8] * 2, [0.4] * 2])
    np.testing.assert_allclose(pair_of_thresholds(own, 0.8, 0.8), [[0.8] * 2, [0.8] * 2])


# 0 to 1 in tenths: the thresholds are among them
SCORES = st.lists(st.tuples(*[st.integers(0, 10)] * 4), min_size=0, max_size=30)


def slow_events(spans, choice: Choice, min_duration_s: float, max_gap_s: float) -> list[Event]:
    """Search a finished recording label by label, as the documentation words it."""
    middles = [(span.start_s + span.end_s) / 2 for span in spans]
    inner = [(a + b) / 2 for a, b in pairwise(middles)]
    edges = [0.0, *inner, spans[-1].end_s] if spans else []
    events = []
    for place, label in enumerate(choice.names):
        scores = [float(span.scores[choice.columns[place]]) * (not span.silent) for span in spans]
        covered = [
            choice.above is not None
            and any(
                choice.above[other, place] and span.scores[column] >= np.float32(HIGH)
                for other, column in enumerate(choice.columns)
            )
            for span in spans
        ]
        usable = [not span.silent and not c for span, c in zip(spans, covered, strict=True)]
        audible = [u and s >= np.float32(LOW) for u, s in zip(usable, scores, strict=True)]
        stretches, first = [], None
        for number, is_audible in enumerate([*audible, False]):
            if is_audible and first is None:
                first = number
            elif not is_audible and first is not None:
                called = [s for s in range(first, number) if scores[s] >= np.float32(HIGH)]
                if any(not spans[s].silent for s in called):
                    stretches.append((first, number))
                first = None
        joined: list[tuple[int, int]] = []
        for first, last in stretches:
            if joined and edges[first] - edges[joined[-1][1]] <= max_gap_s + 1e-6:
                joined[-1] = (joined[-1][0], last)
            else:
                joined.append((first, last))
        events += [
            Event(edges[a], edges[b], label, max(scores[a:b]), sum(scores[a:b]) / (b - a))
            for a, b in joined
            if edges[b] - edges[a] >= min_duration_s - 1e-6
        ]
    return sorted(events)


@given(
    SCORES,
    st.sampled_from([0.1, 0.3, 0.5, 1.0]),
    st.sets(st.integers(0, 29)),
    st.sampled_from([0.0, 0.1, 0.5, 0.75, 2.0]),
    st.sampled_from([0.0, 0.1, 0.5, 0.6, 3.0]),
    st.booleans(),
    st.floats(0.05, 1.0),
)
def test_chunks_as_they_come_give_what_a_slow_search_gives(
    tenths, hop_s, silent, min_duration_s, max_gap_s, leaves, last_s
):
    scores = np.array(tenths, np.float32).reshape(-1, 4) / np.float32(10)
    end_s = max(len(tenths) - 1, 0) * hop_s + last_s
    if len(tenths) > 1:
        end_s = max(end_s, (len(tenths) - 2) * hop_s + 1 + 1e-3)  # the tail is not scored yet
    spans = spans_of(scores, hop_s, silent, end_s)
    durations = {"min_duration_s": min_duration_s, "max_gap_s": max_gap_s}
    choice = choose(LABELS, PARENTS, leaves=leaves)
    fast = sorted(find_events(spans, finder(leaves=leaves, **durations)))
    slow = slow_events(spans, choice, **durations)
    assert [(e.label, e.onset_s, e.offset_s, e.peak) for e in fast] == [
        (e.label, e.onset_s, e.offset_s, e.peak) for e in slow
    ]
    np.testing.assert_allclose([e.mean for e in fast], [e.mean for e in slow])
