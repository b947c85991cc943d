"""Building blocks of the synthetic sounds: tones, pulses, filtered noise, events in time.

Signals are float64 arrays of shape (n,). Nothing is synthesized above `BAND_LIMIT` times the
sampling rate, so nothing aliases at any rate from 8 kHz up.
"""

from collections.abc import Callable, Iterable

import numpy as np
from scipy import signal, special

BAND_LIMIT = 0.45  # highest frequency used, as a fraction of the sampling rate
SILENT_AFTER_DECAYS = 8.0  # a partial is cut off once it is below e^-8, -69 dB


def count_samples(duration_s: float, sample_rate_hz: int) -> int:
    return round(duration_s * sample_rate_hz)


def make_times(duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Return the sample times in seconds, (n,) with n = round(duration_s * sample_rate_hz)."""
    return np.arange(count_samples(duration_s, sample_rate_hz)) / sample_rate_hz


def limit_frequency(frequency_hz: float, sample_rate_hz: int) -> float:
    """Lower a frequency to what the sampling rate can carry."""
    return min(frequency_hz, 0.93 * BAND_LIMIT * sample_rate_hz)


def make_noise(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Generate white Gaussian noise of variance 1, (n,)."""
    return rng.standard_normal(count_samples(duration_s, sample_rate_hz))


def filter_band(samples: np.ndarray, low_hz: float, high_hz: float, rate_hz: int) -> np.ndarray:
    """Apply a second-order band-pass; its edges move down if the rate is too low for them."""
    high_hz = min(high_hz, BAND_LIMIT * rate_hz)
    low_hz = min(low_hz, 0.6 * high_hz)
    sos = signal.butter(2, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")
    return np.asarray(signal.sosfilt(sos, samples))


def wander(
    rng: np.random.Generator, duration_s: float, sample_rate_hz: int, changes_hz: float
) -> np.ndarray:
    """Generate a smooth random curve in [0, 1], (n,), with about `changes_hz` turns per second."""
    times_s = make_times(duration_s, sample_rate_hz)
    knots = rng.uniform(size=int(duration_s * changes_hz) + 3)
    position = times_s * changes_hz
    left = position.astype(int)
    blend = 0.5 - 0.5 * np.cos(np.pi * (position - left))
    return knots[left] * (1 - blend) + knots[left + 1] * blend


def shape_note(
    duration_s: float, sample_rate_hz: int, attack_s: float, release_s: float
) -> np.ndarray:
    """Generate an envelope, (n,): linear attack, full level, linear release."""
    times_s = make_times(duration_s, sample_rate_hz)
    rise = times_s / attack_s
    fall = (duration_s - times_s) / release_s
    return np.clip(np.minimum(rise, fall), 0.0, 1.0)


def sum_damped(
    partials: Iterable[tuple[float, float, float]], duration_s: float, sample_rate_hz: int
) -> np.ndarray:
    """Sum damped sines, each (frequency in Hz, gain, decay in s); result (n,)."""
    times_s = make_times(duration_s, sample_rate_hz)
    mix = np.zeros(len(times_s))
    for frequency_hz, gain, decay_s in partials:
        if frequency_hz >= BAND_LIMIT * sample_rate_hz:
            continue
        audible_s = times_s[: int(SILENT_AFTER_DECAYS * decay_s * sample_rate_hz)]
        ring = np.exp(-audible_s / decay_s) * np.sin(2 * np.pi * frequency_hz * audible_s)
        mix[: len(audible_s)] += gain * ring
    return mix


def sum_harmonics(
    frequency_hz: np.ndarray, gains: Iterable[float], sample_rate_hz: int
) -> np.ndarray:
    """Sum harmonics 1, 2, ... of a moving fundamental, (n,) in Hz; result (n,)."""
    phase = 2 * np.pi * np.cumsum(frequency_hz) / sample_rate_hz
    top_hz = BAND_LIMIT * sample_rate_hz
    mix = np.zeros(len(frequency_hz))
    for harmonic, gain in enumerate(gains, start=1):
        if harmonic * frequency_hz.max(initial=0.0) < top_hz:
            mix += gain * np.sin(harmonic * phase)
    return mix


def pulse_train(frequency_hz: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Generate band-limited impulses at a moving rate, (n,) in Hz; every fourth is stronger."""
    phase = 2 * np.pi * np.cumsum(frequency_hz) / sample_rate_hz
    harmonics = int(BAND_LIMIT * sample_rate_hz / frequency_hz.max())
    return special.diric(phase, 2 * harmonics + 1) * (1 + 0.4 * np.cos(phase / 4))


def pluck(
    rng: np.random.Generator, frequency_hz: float, t60_s: float, duration_s: float, rate_hz: int
) -> np.ndarray:
    """Generate a Karplus-Strong string, (n,).

    Each period is the previous one averaged with itself shifted by one sample. In the Fourier
    domain this is a product, so all periods are computed at once instead of in a loop.

    t60_s: time in which the string decays by 60 dB.
    """
    n = count_samples(duration_s, rate_hz)
    period = max(4, round(rate_hz / frequency_hz))
    spectrum = np.fft.rfft(rng.uniform(-1, 1, period))
    spectrum[0] = 0.0  # no DC offset
    angle = np.pi * np.arange(len(spectrum)) / period
    gain = 10 ** (-3 * period / (rate_hz * t60_s)) * np.cos(angle[:-1])
    turns = np.arange(-(-n // period))[:, None]
    damping = np.exp(turns * (np.log(gain) - 1j * angle[:-1]))
    periods = np.fft.irfft(spectrum[:-1] * damping, period, axis=1)  # (periods, period)
    return periods.reshape(-1)[:n]


def make_starts(
    rng: np.random.Generator, duration_s: float, interval_s: float, jitter: float
) -> np.ndarray:
    """Return start times in s: the first within 40 ms, then one per interval.

    jitter: largest shift of a start, as a fraction of the interval.
    """
    starts_s = np.arange(rng.uniform(0, 0.04), duration_s, interval_s)
    moves_s = jitter * interval_s * rng.uniform(-1, 1, len(starts_s))
    moves_s[0] = 0.0
    return np.sort(np.clip(starts_s + moves_s, 0.0, None))


def play(
    starts_s: Iterable[float],
    make_event: Callable[[int], np.ndarray],
    duration_s: float,
    sample_rate_hz: int,
) -> np.ndarray:
    """Add up `make_event(0)`, `make_event(1)`, ... at their start times, (n,)."""
    mix = np.zeros(count_samples(duration_s, sample_rate_hz))
    for index, start_s in enumerate(starts_s):
        first = int(start_s * sample_rate_hz)
        room = max(0, len(mix) - first)
        event = make_event(index)[:room]
        mix[first : first + len(event)] += event
    return mix
