"""False alarms on quiet sound: what a file calls where there is nothing to hear."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lean_audio.audio.chunking import CHUNK_SAMPLES, chunk_views
from lean_audio.audio.decode import SAMPLE_RATE_HZ, to_float
from lean_audio.device.score import mean_scores, open_file
from lean_audio.tflite.card import read_card

CLIP_S = 10
SEED = 1
HUM_HZ = (50, 60)
HUM_DBFS = (-40, -60)
NOISE_DBFS = -60
NOISE_CLIPS = 3  # of each colour


def quiet_sounds() -> dict[str, list[np.ndarray]]:
    """Return clips of 10 s by kind, int16 at 16 kHz.

    silence: digital. hum: 50 and 60 Hz with their first harmonics, -40 and -60 dBFS. noise: white
    and pink, -60 dBFS. Levels are of the root mean square.
    """
    rng = np.random.default_rng(SEED)
    count = CLIP_S * SAMPLE_RATE_HZ
    white = [rng.normal(size=count) for _ in range(NOISE_CLIPS)]
    pink = [_pink(rng.normal(size=count)) for _ in range(NOISE_CLIPS)]
    hums = [_at_level(_hum(hz, count), dbfs) for hz in HUM_HZ for dbfs in HUM_DBFS]
    noises = [_at_level(noise, NOISE_DBFS) for noise in (*white, *pink)]
    return {"silence": [np.zeros(count, np.int16)], "hum": hums, "noise": noises}


def _hum(hz: int, count: int) -> np.ndarray:
    phase = 2 * np.pi * hz * np.arange(count) / SAMPLE_RATE_HZ
    return sum((np.sin(n * phase) / n for n in range(1, 5)), np.zeros(count))


def _pink(white: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(white)
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), len(white))


def _at_level(sound: np.ndarray, dbfs: float) -> np.ndarray:
    level = 32768 * 10 ** (dbfs / 20) / np.sqrt((sound**2).mean())
    return np.rint(sound * level).astype(np.int16)


def alarms_per_hour(model: Path, sounds: Mapping[str, Sequence[np.ndarray]]) -> dict[str, float]:
    """Return how many labels an hour of each kind of quiet sound would get, in clips of 10 s.

    model: a finished file, whose thresholds and chunking are used; sounds: from `quiet_sounds`.
    """
    _, card = read_card(model)
    tag, thresholds = open_file(model), np.array(card["thresholds"], np.float32)
    hop_samples = round(card["hop_s"] * SAMPLE_RATE_HZ)

    def labels(clip: np.ndarray) -> int:
        views = chunk_views(len(clip), hop_samples, card["tail"])
        chunks = np.stack([np.resize(clip[start : start + n], CHUNK_SAMPLES) for start, n in views])
        return int((mean_scores(tag, to_float(chunks)) >= thresholds).sum())

    per_hour = 3600 / CLIP_S
    return {
        kind: float(per_hour * np.mean([labels(clip) for clip in clips]))
        for kind, clips in sounds.items()
    }
