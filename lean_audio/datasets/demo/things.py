"""Synthesize sounds of things: (rng, duration in s, rate in Hz) -> samples of shape (n,)."""

import numpy as np

from lean_audio.datasets.demo.synth import (
    filter_band,
    make_noise,
    make_starts,
    make_times,
    play,
    pulse_train,
    shape_note,
    sum_damped,
    sum_harmonics,
    wander,
)

# A bell's partials from hum to high quint: ratio to the strike note, gain, decay in s.
CHURCH_BELL = (
    (0.5, 0.6, 2.5),
    (1.0, 0.8, 1.6),
    (1.183, 1.0, 1.4),
    (1.506, 0.4, 0.9),
    (2.0, 1.0, 0.9),
    (2.514, 0.4, 0.5),
    (3.011, 0.5, 0.4),
    (4.166, 0.4, 0.25),
    (5.433, 0.3, 0.15),
)


def church_bell(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize slow strokes of one large bell."""
    strike_hz = rng.uniform(260, 620)
    partials = [
        (strike_hz * ratio * rng.uniform(0.995, 1.005), gain, decay_s)
        for ratio, gain, decay_s in CHURCH_BELL
    ]
    stroke = sum_damped(partials, duration_s, sample_rate_hz)
    starts_s = make_starts(rng, duration_s, rng.uniform(0.9, 1.8), 0.03)
    return play(starts_s, lambda index: stroke, duration_s, sample_rate_hz)


def bicycle_bell(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize trills: the clapper strikes a small, high bell 15-25 times per second."""
    bell_hz = rng.uniform(1900, 3000)
    partials = ((bell_hz, 1.0, 0.25), (1.012 * bell_hz, 0.7, 0.3), (2.63 * bell_hz, 0.6, 0.1))
    ting = sum_damped(partials, 1.0, sample_rate_hz)
    trill_s, strike_s = rng.uniform(0.25, 0.5), rng.uniform(0.04, 0.066)
    strikes_s = np.arange(0, trill_s, strike_s)
    trills_s = make_starts(rng, duration_s, 2 * trill_s, 0.1)
    starts_s = (trills_s[:, None] + strikes_s).ravel()
    return play(starts_s, lambda index: ting, duration_s, sample_rate_hz)


def siren(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize a wail, a yelp or a two-tone horn: one strong pitch that keeps moving."""
    times_s = make_times(duration_s, sample_rate_hz)
    low_hz, ratio = rng.uniform(450, 650), rng.uniform(2, 2.6)
    kind = int(rng.integers(3))
    period_s = (rng.uniform(1.5, 3), rng.uniform(0.25, 0.4), rng.uniform(0.8, 1.2))[kind]
    cycle = np.sin(2 * np.pi * (times_s / period_s + rng.random()))
    position = np.clip(4 * cycle, -0.5, 0.5) if kind == 2 else 0.5 * cycle
    pitch_hz = low_hz * ratio ** (position + 0.5)
    tone = sum_harmonics(pitch_hz, (1.0, 0.5, 0.4, 0.2, 0.1), sample_rate_hz)
    return tone * shape_note(duration_s, sample_rate_hz, 0.02, 0.02)


def doorbell(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize ding-dong: two chime bars a major third apart."""
    ding_hz, gap_s = rng.uniform(580, 820), rng.uniform(0.35, 0.7)
    decay_s = rng.uniform(0.25, 0.5)

    def chime(index: int) -> np.ndarray:
        chime_hz = ding_hz * (0.794 if index % 2 else 1.0)
        partials = ((chime_hz, 1.0, decay_s), (2 * chime_hz, 0.3, 0.2), (4 * chime_hz, 0.2, 0.1))
        return sum_damped(partials, 2.0, sample_rate_hz)

    pairs_s = make_starts(rng, duration_s, 3 * gap_s, 0.05)
    starts_s = (pairs_s[:, None] + (0.0, gap_s)).ravel()
    return play(starts_s, chime, duration_s, sample_rate_hz)


def run_engine(
    rng: np.random.Generator, firing_hz: np.ndarray, high_hz: float, sample_rate_hz: int
) -> np.ndarray:
    """Synthesize exhaust pulses through a pipe, with some hiss; firing_hz: (n,) firing rate."""
    pulses = pulse_train(firing_hz, sample_rate_hz)
    exhaust = filter_band(pulses, 30, high_hz, sample_rate_hz)
    exhaust /= np.abs(exhaust).max()
    hiss = filter_band(rng.standard_normal(len(pulses)), 200, 2 * high_hz, sample_rate_hz)
    return exhaust + rng.uniform(0.02, 0.06) * hiss


def idling(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize an engine that turns over slowly and not quite evenly."""
    unevenness = wander(rng, duration_s, sample_rate_hz, 4.0)
    firing_hz = rng.uniform(18, 34) * (1 + 0.06 * unevenness)
    return run_engine(rng, firing_hz, rng.uniform(250, 500), sample_rate_hz)


def revving(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize an engine that revs up and falls back, again and again."""
    times_s = make_times(duration_s, sample_rate_hz)
    turn = (times_s / rng.uniform(0.5, 1.5) + rng.uniform(0, 0.5)) % 1.0
    throttle = np.where(turn < 0.6, turn / 0.6, (1 - turn) / 0.4)
    firing_hz = rng.uniform(60, 90) * rng.uniform(3, 4.5) ** throttle
    howl = run_engine(rng, firing_hz, rng.uniform(1200, 2200), sample_rate_hz)
    return howl * (0.3 + 0.7 * throttle)


def knock(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize three to five raps on a door, then a pause, repeatedly."""
    panel_hz = rng.uniform(160, 360)
    modes = ((1.0, 1.0, 0.03), (1.7, 0.7, 0.025), (2.9, 0.5, 0.015), (4.6, 0.4, 0.008))
    partials = [(panel_hz * ratio, gain, decay_s) for ratio, gain, decay_s in modes]
    rap = sum_damped(partials, 0.3, sample_rate_hz)
    gap_s, raps = rng.uniform(0.1, 0.2), int(rng.integers(3, 6))
    groups_s = make_starts(rng, duration_s, gap_s * (raps + 2), 0.02)
    starts_s = (groups_s[:, None] + gap_s * np.arange(raps)).ravel()
    levels = rng.uniform(0.6, 1, len(starts_s))
    return play(starts_s, lambda index: levels[index] * rap, duration_s, sample_rate_hz)


def computer_keyboard(
    rng: np.random.Generator, duration_s: float, sample_rate_hz: int
) -> np.ndarray:
    """Synthesize uneven keystrokes: a click with a small thump down, a softer click up."""
    times_s = make_times(0.15, sample_rate_hz)
    low_hz, up_s = rng.uniform(1500, 2500), rng.uniform(0.05, 0.09)
    press = np.exp(-times_s / 0.004) + 0.5 * np.exp(-np.abs(times_s - up_s) / 0.003)
    thump = sum_damped([(rng.uniform(200, 400), 0.4, 0.012)], 0.15, sample_rate_hz)

    def stroke(index: int) -> np.ndarray:
        noise = filter_band(make_noise(rng, 0.15, sample_rate_hz), low_hz, 7000, sample_rate_hz)
        return rng.uniform(0.4, 1) * (noise * press + thump)

    starts_s = make_starts(rng, duration_s, rng.uniform(0.09, 0.18), 0.45)
    return play(starts_s, stroke, duration_s, sample_rate_hz)


def tick_tock(rng: np.random.Generator, duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """Synthesize a clock: exactly periodic short clicks of two alternating timbres."""
    tick_hz, tock_ratio = rng.uniform(1700, 2500), rng.uniform(0.7, 0.85)

    def click(index: int) -> np.ndarray:
        click_hz = tick_hz * (tock_ratio if index % 2 else 1.0)
        partials = ((click_hz, 1.0, 0.008), (1.4 * click_hz, 0.7, 0.005), (400.0, 0.3, 0.01))
        return sum_damped(partials, 0.1, sample_rate_hz)

    starts_s = make_starts(rng, duration_s, rng.uniform(0.22, 0.5), 0.0)
    return play(starts_s, click, duration_s, sample_rate_hz)
