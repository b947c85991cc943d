"""What counts as an event, as users state it."""

from collections.abc import Sequence
from typing import TypedDict, Unpack

import numpy as np

from lean_audio.errors import LeanError
from lean_audio.tagger.events import EventFinder
from lean_audio.tagger.labels import Parents, choose

LOW_FRACTION = 0.5  # of the threshold: the lower one, unless another is asked for


class EventSettings(TypedDict, total=False):
    """What counts as an event; every setting may be left out.

    threshold, low_threshold: an event scores at least low_threshold throughout and threshold once;
    "auto", the default, is each label's own threshold, and half of the upper one. min_duration_s,
    max_gap_s: gaps of at most max_gap_s are bridged, then shorter events are left out; both are 0
    by default. labels, exclude: names of the labels to find, by default all, and to leave out.
    leaves: whether a label gives way to a more specific one, where the model has a hierarchy.
    """

    threshold: str | float
    low_threshold: str | float
    min_duration_s: float
    max_gap_s: float
    labels: Sequence[str]
    exclude: Sequence[str]
    leaves: bool


def make_finder(
    vocabulary: Sequence[str],
    parents: Parents | None,
    own: np.ndarray,
    **settings: Unpack[EventSettings],
) -> EventFinder:
    """Return what finds events.

    Parameters
    ----------
    vocabulary, parents
        Labels of the model, and its hierarchy or None.
    own
        (classes,) its own thresholds.
    settings
        What counts as an event.

    Raises
    ------
    LeanError
        If a setting is not allowed.
    """
    shortest_s, gap_s = settings.get("min_duration_s", 0.0), settings.get("max_gap_s", 0.0)
    check_seconds([("min_duration_s", shortest_s), ("max_gap_s", gap_s)])
    choice = choose(
        vocabulary,
        parents,
        include=settings.get("labels", ()),
        exclude=settings.get("exclude", ()),
        leaves=settings.get("leaves", False),
    )
    thresholds = settings.get("threshold", "auto"), settings.get("low_threshold", "auto")
    high, low = pair_of_thresholds(own, *thresholds)
    return EventFinder(choice, high, low, min_duration_s=shortest_s, max_gap_s=gap_s)


def pair_of_thresholds(
    own: np.ndarray, threshold: str | float, low: str | float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the upper and the lower threshold of each label, (classes,) each.

    Parameters
    ----------
    own
        (classes,) thresholds that the model has for its labels.
    threshold, low
        "auto" for those, and for LOW_FRACTION of the upper; or one number for all.

    Raises
    ------
    LeanError
        If one number is not from 0 to 1, or the lower is above the upper.
    """
    for name, value in (("threshold", threshold), ("lower threshold", low)):
        if value != "auto" and not (isinstance(value, float | int) and 0 <= value <= 1):
            raise LeanError(f"the {name} is {value!r}; it must be auto or a number from 0 to 1")
    high = own if threshold == "auto" else np.full_like(own, threshold)
    if low == "auto":
        return high, high * np.float32(LOW_FRACTION)
    if threshold != "auto" and float(low) > float(threshold):
        raise LeanError(f"the lower threshold ({low:g}) is above the threshold ({threshold:g})")
    return high, np.minimum(np.full_like(own, low), high)


def check_seconds(values: Sequence[tuple[str, float]]) -> None:
    """Raise LeanError for a duration that is negative or no number."""
    for name, value in values:
        if not 0 <= value < np.inf:
            raise LeanError(f"{name} is {value!r}; it must be a number of seconds from 0 on")
