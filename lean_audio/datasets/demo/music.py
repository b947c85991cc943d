"""Synthesize musical instruments: (rng, duration in s, rate in Hz) -> samples of shape (n,)."""

import numpy as np

from lean_audio.datasets.demo.synth import (
    filter_band,
    make_noise,
    make_starts,
    make_times,
    play,
    pluck,
    shape_note,
    sum_damped,
    sum_harmonics,
)

MAJOR = (0, 4, 7, 12)
MINOR = (0, 3, 7, 12)
PENTATONIC = (0, 2, 4, 7, 9, 12, 14, 16, 19, 21, 24)


def transpose(frequency_hz: float, semitones: float) -> float:
    return frequency_hz * 2 ** (semitones / 12)


def acoustic_guitar(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize broken chords on plucked strings, filtered by the body's resonance."""
    root_hz = rng.uniform(95, 190)
    chord = MAJOR if rng.random() < 0.5 else MINOR
    t60_s = rng.uniform(1.5, 3.5)
    starts_s = make_starts(rng, duration_s, rng.uniform(0.12, 0.3), 0.05)

    def note(index: int) -> np.ndarray:
        frequency_hz = transpose(root_hz, chord[int(rng.integers(4))])
        return pluck(rng, frequency_hz, t60_s, 1.5, sample_rate_hz)

    strings = play(starts_s, note, duration_s, sample_rate_hz)
    return filter_band(strings, 80, 5000, sample_rate_hz)


def harp(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize runs up or down a pentatonic scale on soft, ringing strings."""
    root_hz = rng.uniform(260, 440)
    step = int(rng.choice((-1, 1)))
    offset = int(rng.integers(len(PENTATONIC)))
    starts_s = make_starts(rng, duration_s, rng.uniform(0.07, 0.14), 0.05)

    def note(index: int) -> np.ndarray:
        degree = PENTATONIC[(offset + step * index) % len(PENTATONIC)]
        string_hz = transpose(root_hz, degree)
        partials = [(k * string_hz, k**-1.8, 0.5 / k) for k in range(1, 6)]
        return rng.uniform(0.6, 1) * sum_damped(partials, 1.5, sample_rate_hz)

    return play(starts_s, note, duration_s, sample_rate_hz)


def play_bars(
    rng: np.random.Generator,
    duration_s: float,
    sample_rate_hz: int,
    root_hz: float,
    bar: tuple[tuple[float, float, float], ...],
) -> np.ndarray:
    """Synthesize a tune on tuned bars; bar: (frequency ratio, gain, decay in s) of each partial."""
    starts_s = make_starts(rng, duration_s, rng.uniform(0.13, 0.35), 0.05)

    def note(index: int) -> np.ndarray:
        note_hz = transpose(root_hz, PENTATONIC[int(rng.integers(6))])
        partials = [(ratio * note_hz, gain, decay_s) for ratio, gain, decay_s in bar]
        return rng.uniform(0.5, 1) * sum_damped(partials, 1.5, sample_rate_hz)

    return play(starts_s, note, duration_s, sample_rate_hz)


def glockenspiel(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize steel bars: high, long notes with the partials of a free bar (1 : 2.76 : 5.40)."""
    bar = ((1.0, 1.0, rng.uniform(0.4, 0.9)), (2.756, 0.5, 0.25), (5.404, 0.25, 0.08))
    return play_bars(rng, duration_s, sample_rate_hz, rng.uniform(1000, 1600), bar)


def marimba(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize wooden bars: short notes, the second partial two octaves up (1 : 4 : 9.2)."""
    bar = ((1.0, 1.0, rng.uniform(0.07, 0.16)), (3.93, 0.35, 0.04), (9.2, 0.15, 0.015))
    return play_bars(rng, duration_s, sample_rate_hz, rng.uniform(200, 480), bar)


def organ(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize a held chord with a tremulant: pipes at 1, 2, 3, 4, 6 and 8 times each key."""
    times_s = make_times(duration_s, sample_rate_hz)
    root_hz = rng.uniform(110, 260)
    stops = np.zeros(8)
    stops[[0, 1, 2, 3, 5, 7]] = rng.uniform(0.2, 1.0, 6)
    tremulant = 1 + 0.15 * np.sin(2 * np.pi * rng.uniform(5, 7) * times_s)
    chord = MAJOR if rng.random() < 0.5 else MINOR
    keys_hz = [np.full(len(times_s), transpose(root_hz, degree)) for degree in chord[:3]]
    pipes = np.sum([sum_harmonics(key_hz, stops, sample_rate_hz) for key_hz in keys_hz], axis=0)
    return pipes * tremulant * shape_note(duration_s, sample_rate_hz, 0.04, 0.04)


def trumpet(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize single brassy notes with vibrato: strong harmonics, a formant near 1.5 kHz."""
    root_hz, note_s = rng.uniform(240, 420), rng.uniform(0.18, 0.6)
    formant_hz = rng.uniform(1200, 1800)
    times_s = make_times(note_s, sample_rate_hz)
    vibrato = 1 + 0.008 * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * times_s)
    envelope = shape_note(note_s, sample_rate_hz, 0.03, 0.06)

    def note(index: int) -> np.ndarray:
        note_hz = transpose(root_hz, PENTATONIC[int(rng.integers(6))])
        gains = [np.exp(-0.5 * np.log2(k * note_hz / formant_hz) ** 2) for k in range(1, 16)]
        return envelope * sum_harmonics(note_hz * vibrato, gains, sample_rate_hz)

    starts_s = make_starts(rng, duration_s, 1.1 * note_s, 0.0)
    return play(starts_s, note, duration_s, sample_rate_hz)


def snare_drum(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize hits on a tuned skin, with broadband noise for the rattling wires."""
    skin_hz, wires_s = rng.uniform(170, 260), rng.uniform(0.05, 0.14)
    fading = np.exp(-make_times(0.5, sample_rate_hz) / wires_s)
    skin = sum_damped([(skin_hz, 1.0, 0.05), (1.6 * skin_hz, 0.6, 0.03)], 0.5, sample_rate_hz)

    def hit(index: int) -> np.ndarray:
        noise = make_noise(rng, 0.5, sample_rate_hz)
        wires = filter_band(noise, 900, 9000, sample_rate_hz) * fading
        return rng.uniform(0.4, 1) * (wires + 0.6 * skin)

    starts_s = make_starts(rng, duration_s, rng.uniform(0.12, 0.5), 0.05)
    return play(starts_s, hit, duration_s, sample_rate_hz)


def bass_drum(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize thuds whose pitch falls to 45-65 Hz within about 50 ms."""
    times_s = make_times(0.6, sample_rate_hz)
    pitch_hz = rng.uniform(45, 65) * (1 + rng.uniform(1, 2.5) * np.exp(-times_s / 0.03))
    thud = sum_harmonics(pitch_hz, (1.0, 0.15), sample_rate_hz)
    thud *= np.exp(-times_s / rng.uniform(0.08, 0.16))
    starts_s = make_starts(rng, duration_s, rng.uniform(0.25, 0.6), 0.03)
    return play(starts_s, lambda index: thud, duration_s, sample_rate_hz)


def hi_hat(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize bursts of high noise, three short ones (closed) for each long one (open)."""
    low_hz = rng.uniform(6000, 8000)
    closed_s, open_s = rng.uniform(0.015, 0.04), rng.uniform(0.1, 0.25)
    times_s = make_times(0.8, sample_rate_hz)

    def hit(index: int) -> np.ndarray:
        noise = filter_band(make_noise(rng, 0.8, sample_rate_hz), low_hz, 18000, sample_rate_hz)
        decay_s = open_s if index % 4 == 3 else closed_s
        return rng.uniform(0.5, 1) * noise * np.exp(-times_s / decay_s)

    starts_s = make_starts(rng, duration_s, rng.uniform(0.1, 0.25), 0.02)
    return play(starts_s, hit, duration_s, sample_rate_hz)


def gong(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize dense inharmonic partials: high ones bloom after the stroke, low ones last."""
    low_hz = rng.uniform(70, 140)
    ratios = np.sort(rng.uniform(1, 14, 30))
    partials = [(low_hz * ratio, ratio**-0.6, 3.5 / ratio**0.6) for ratio in (1.0, *ratios)]
    body = sum_damped(partials, duration_s, sample_rate_hz)
    times_s = make_times(duration_s, sample_rate_hz)
    bloom = (1 - np.exp(-times_s / 0.15)) * np.exp(-times_s / 0.9)
    shimmer = filter_band(make_noise(rng, duration_s, sample_rate_hz), 900, 2500, sample_rate_hz)
    return body * (1 - 0.5 * np.exp(-times_s / 0.05)) + 1.5 * bloom * shimmer
