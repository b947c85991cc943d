"""Synthesize weather, water, animals and hands: (rng, duration in s, rate in Hz) -> shape (n,)."""

import numpy as np

from lean_audio.datasets.demo.synth import (
    filter_band,
    limit_frequency,
    make_noise,
    make_starts,
    make_times,
    play,
    shape_note,
    sum_harmonics,
    wander,
)


def rain(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize a steady, bright hiss roughened by many single drops."""
    hiss = make_noise(rng, duration_s, sample_rate_hz)
    drops_per_s = rng.uniform(150, 600)
    falls = rng.random(len(hiss)) < drops_per_s / sample_rate_hz
    drops = np.where(falls, rng.uniform(3, 8), 0.0) * np.sign(hiss)
    return filter_band(hiss + drops, rng.uniform(800, 2000), 12000, sample_rate_hz)


def wind(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize low noise in slow gusts; a higher, whistling band swells with each gust."""
    gusts = wander(rng, duration_s, sample_rate_hz, rng.uniform(0.6, 1.5))
    noise = make_noise(rng, duration_s, sample_rate_hz)
    low = filter_band(noise, 60, rng.uniform(200, 350), sample_rate_hz)
    whistle_hz = rng.uniform(380, 700)
    high = filter_band(noise, whistle_hz, 1.2 * whistle_hz, sample_rate_hz)
    return (0.25 + gusts) * low + 2.0 * gusts**2 * high


def thunder(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize a crack, then a rumble that rolls and dies away over seconds."""
    times_s = make_times(duration_s, sample_rate_hz)
    noise = make_noise(rng, duration_s, sample_rate_hz)
    crack = filter_band(noise, 150, 2500, sample_rate_hz) * np.exp(-times_s / 0.08)
    rumble = filter_band(noise, 20, rng.uniform(70, 140), sample_rate_hz)
    rolling = 0.2 + wander(rng, duration_s, sample_rate_hz, rng.uniform(2, 5))
    return rng.uniform(0.1, 0.5) * crack + 4 * rumble * rolling * np.exp(-times_s / 2.0)


def waves(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize surf: a dull wash that turns to bright foam at each crest."""
    times_s = make_times(duration_s, sample_rate_hz)
    cycle = times_s / rng.uniform(2.0, 4.0) + rng.random()
    swell = (0.5 - 0.5 * np.cos(2 * np.pi * cycle)) ** 2
    noise = make_noise(rng, duration_s, sample_rate_hz)
    wash = filter_band(noise, 150, rng.uniform(500, 800), sample_rate_hz)
    foam = filter_band(noise, 900, rng.uniform(2500, 4000), sample_rate_hz)
    return (0.35 + swell) * wash + (0.1 + 0.7 * swell**2) * foam


def drip(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize single drops into water, whose bubble's short tone rises in pitch."""
    times_s = make_times(0.2, sample_rate_hz)
    lowest_hz = rng.uniform(500, 900)

    def drop(index: int) -> np.ndarray:
        decay_s = rng.uniform(0.015, 0.035)
        pitch_hz = lowest_hz * rng.uniform(1, 1.6) * (1 + np.minimum(times_s / 0.08, 1.0))
        tone = sum_harmonics(pitch_hz, (1.0, 0.1), sample_rate_hz)
        return rng.uniform(0.5, 1) * tone * np.exp(-times_s / decay_s)

    starts_s = make_starts(rng, duration_s, rng.uniform(0.15, 0.45), 0.3)
    return play(starts_s, drop, duration_s, sample_rate_hz)


def bird_chirp(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize whistled syllables with a fast trill; each glides up, down, or both."""
    centre_hz = limit_frequency(rng.uniform(2600, 4800), sample_rate_hz) / 1.3
    syllable_s, trill_hz = rng.uniform(0.05, 0.16), rng.uniform(20, 60)
    position = np.linspace(-1, 1, len(make_times(syllable_s, sample_rate_hz)))
    envelope = np.cos(0.5 * np.pi * position) ** 2

    def syllable(index: int) -> np.ndarray:
        glide, bend = rng.uniform(-0.2, 0.2), rng.uniform(-0.08, 0.05)
        trill = 0.04 * np.sin(np.pi * trill_hz * syllable_s * position)
        pitch_hz = centre_hz * (1 + glide * position + bend * position**2 + trill)
        return rng.uniform(0.4, 1) * envelope * sum_harmonics(pitch_hz, (1.0,), sample_rate_hz)

    starts_s = make_starts(rng, duration_s, syllable_s * rng.uniform(1.2, 2.2), 0.15)
    return play(starts_s, syllable, duration_s, sample_rate_hz)


def cricket(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize a pure high tone in 30-50 pulses per second, two to four chirps per second."""
    times_s = make_times(duration_s, sample_rate_hz)
    tone_hz = limit_frequency(rng.uniform(3800, 5200), sample_rate_hz)
    pulses = np.clip(np.sin(2 * np.pi * rng.uniform(30, 50) * times_s), 0, None)
    chirp_turn = (times_s * rng.uniform(2, 4)) % 1.0
    chirps = np.clip(8 * np.minimum(chirp_turn, 0.6 - chirp_turn), 0, 1)
    return np.sin(2 * np.pi * tone_hz * times_s) * pulses * chirps


def crow(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize hoarse caws: a falling voice, roughened by noise, loudest near 1.5 kHz."""
    caw_s, voice_hz = rng.uniform(0.2, 0.4), rng.uniform(380, 560)
    fall = np.linspace(1.1, 0.85, len(make_times(caw_s, sample_rate_hz)))
    envelope = shape_note(caw_s, sample_rate_hz, 0.03, 0.1)
    formant_hz = rng.uniform(1300, 1700)
    gains = [np.exp(-1.5 * np.log2(k * voice_hz / formant_hz) ** 2) for k in range(1, 9)]

    def caw(index: int) -> np.ndarray:
        voice = sum_harmonics(voice_hz * fall, gains, sample_rate_hz)
        noise = make_noise(rng, caw_s, sample_rate_hz)
        roughness = filter_band(noise, 30, 150, sample_rate_hz)
        breath = filter_band(noise, 1000, 2500, sample_rate_hz)
        return envelope * (voice * (1 + 3 * roughness) + 0.5 * breath)

    starts_s = make_starts(rng, duration_s, caw_s * rng.uniform(1.4, 2), 0.05)
    return play(starts_s, caw, duration_s, sample_rate_hz)


def clapping(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize one to four pairs of clapping hands, each with its own tempo and timbre."""
    times_s = make_times(0.12, sample_rate_hz)
    mix = np.zeros(len(make_times(duration_s, sample_rate_hz)))
    for _ in range(int(rng.integers(1, 5))):
        low_hz, decay_s = rng.uniform(600, 1200), rng.uniform(0.006, 0.016)
        noise = filter_band(
            make_noise(rng, 0.12, sample_rate_hz), low_hz, 2.5 * low_hz, sample_rate_hz
        )
        clap = noise * np.exp(-times_s / decay_s)
        starts_s = make_starts(rng, duration_s, rng.uniform(0.17, 0.35), 0.1)
        mix += play(starts_s, lambda index, clap=clap: clap, duration_s, sample_rate_hz)
    return mix
