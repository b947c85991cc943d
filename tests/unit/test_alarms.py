"""Quiet sounds, and how many labels an hour of them gets."""

import numpy as np
import pytest

from lean_audio.device.alarms import quiet_sounds


@pytest.mark.parametrize(("kind", "clips"), [("silence", 1), ("hum", 4), ("noise", 6)])
def test_the_clips_are_ten_seconds_and_the_same_every_time(kind, clips):
    first, second = quiet_sounds()[kind], quiet_sounds()[kind]
    assert [clip.shape for clip in first] == [(160_000,)] * clips
    np.testing.assert_array_equal(first, second)


def test_their_levels_are_those_stated():
    def dbfs(clip: np.ndarray) -> float:
        return 20 * np.log10(np.sqrt((clip.astype(float) ** 2).mean()) / 32768)

    sounds = quiet_sounds()
    assert not sounds["silence"][0].any()
    assert [dbfs(clip) for clip in sounds["hum"]] == pytest.approx([-40, -60, -40, -60], abs=0.05)
    assert [dbfs(clip) for clip in sounds["noise"]] == pytest.approx([-60] * 6, abs=0.05)


def test_pink_noise_has_less_treble_than_white():
    *white, first_pink, _, _ = quiet_sounds()["noise"]

    def treble(clip: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(clip)) ** 2
        return power[len(power) // 2 :].sum() / power.sum()

    assert treble(white[0]) == pytest.approx(0.5, abs=0.02)
    assert treble(first_pink) < 0.15
