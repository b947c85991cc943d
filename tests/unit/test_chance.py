"""The mAP of random scores, against rankings that really are random."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from lean_audio.report.chance import chance_ap, chance_map


@pytest.mark.parametrize(("positives", "clips"), [(1, 10), (3, 40), (20, 40), (40, 40)])
def test_chance_is_the_mean_over_random_rankings(positives, clips):
    rng = np.random.default_rng(1)
    targets = np.arange(clips) < positives
    drawn = [average_precision_score(targets, rng.permutation(clips)) for _ in range(3000)]
    assert chance_ap(positives, clips) == pytest.approx(np.mean(drawn), abs=0.01)


def test_one_positive_of_two_clips_is_first_or_second():
    assert chance_ap(1, 2) == pytest.approx((1 + 1 / 2) / 2)


def test_classes_without_positives_do_not_count():
    assert chance_map([1, 0, 2], 2) == pytest.approx((0.75 + 1) / 2)
    assert chance_map([0, 0], 2) is None
