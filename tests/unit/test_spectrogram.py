"""Pictures of sound: the right way up, as wide as the clip is long, nothing but the picture."""

import numpy as np
import pytest
from matplotlib.image import imread

from lean_audio.audio.spectrogram import save_spectrogram, spectrogram_db


def tone(hertz: float, seconds: float) -> np.ndarray:
    time_s = np.arange(round(16_000 * seconds)) / 16_000
    return (8000 * np.sin(2 * np.pi * hertz * time_s)).astype("<i2")


def test_a_tone_is_loudest_at_its_frequency_and_at_its_time():
    samples = np.concatenate([np.zeros(8000, "<i2"), tone(1000, 0.5)])
    decibels = spectrogram_db(samples, 600)
    assert decibels.shape == (257, 100)
    assert set(decibels[:, 53:97].argmax(axis=0)) == {32}  # 1000 Hz of 31.25 Hz a row
    assert decibels[:, :47].max() == pytest.approx(-80)


@pytest.mark.parametrize(("samples", "columns"), [(1, 1), (160, 1), (161, 2), (96_000, 600)])
def test_there_are_no_more_columns_than_asked_for(samples, columns):
    assert spectrogram_db(np.ones(samples, "<i2"), 600).shape == (257, columns)
    assert spectrogram_db(np.ones(500_000, "<i2"), 600).shape[1] <= 600


def test_the_picture_has_low_frequencies_at_the_bottom_and_no_date_or_version(tmp_path):
    save_spectrogram(tmp_path / "low.png", tone(200, 0.5))
    picture = imread(tmp_path / "low.png")[..., :3].mean(axis=2)  # from the top down
    assert picture.shape == (128, 50)
    assert picture[-8:].mean() > 0.4 > 0.2 > picture[:64].mean()
    assert b"tEXt" not in (tmp_path / "low.png").read_bytes()


def test_silence_is_dark(tmp_path):
    save_spectrogram(tmp_path / "silence.png", np.zeros(4000, "<i2"))
    assert imread(tmp_path / "silence.png")[..., :3].max() < 0.1
