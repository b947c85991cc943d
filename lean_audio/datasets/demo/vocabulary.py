"""The demo's sounds by their FSD50K label, and the part of FSD50K's vocabulary they need."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

import numpy as np

from lean_audio.datasets.demo import music, nature, things

# (rng, duration in s, sampling rate in Hz) -> samples of shape (round(duration * rate),)
Sound = Callable[[np.random.Generator, float, int], np.ndarray]

SOUNDS: Mapping[str, Sound] = MappingProxyType(
    {
        "Accelerating_and_revving_and_vroom": things.revving,
        "Acoustic_guitar": music.acoustic_guitar,
        "Bass_drum": music.bass_drum,
        "Bicycle_bell": things.bicycle_bell,
        "Chirp_and_tweet": nature.bird_chirp,
        "Church_bell": things.church_bell,
        "Clapping": nature.clapping,
        "Computer_keyboard": things.computer_keyboard,
        "Cricket": nature.cricket,
        "Crow": nature.crow,
        "Doorbell": things.doorbell,
        "Drip": nature.drip,
        "Glockenspiel": music.glockenspiel,
        "Gong": music.gong,
        "Harp": music.harp,
        "Hi-hat": music.hi_hat,
        "Idling": things.idling,
        "Knock": things.knock,
        "Marimba_and_xylophone": music.marimba,
        "Organ": music.organ,
        "Rain": nature.rain,
        "Siren": things.siren,
        "Snare_drum": music.snare_drum,
        "Thunder": nature.thunder,
        "Tick-tock": things.tick_tock,
        "Trumpet": music.trumpet,
        "Waves_and_surf": nature.waves,
        "Wind": nature.wind,
    }
)


@dataclass(frozen=True)
class Label:
    """A label of FSD50K's vocabulary; ancestors run from its parent to the root."""

    name: str
    mid: str
    ancestors: tuple[str, ...]


def load_labels() -> dict[str, Label]:
    """Read the labels of `SOUNDS` and all their ancestors, by name."""
    table = resources.files("lean_audio.datasets") / "data" / "demo_vocabulary.csv"
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return {row["label"]: Label(row["label"], row["mid"], _split(row["ancestors"])) for row in rows}


def _split(ancestors: str) -> tuple[str, ...]:
    return tuple(name for name in ancestors.split(";") if name)
