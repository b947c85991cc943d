"""The demo's sounds by FSD50K name, and the part of FSD50K's vocabulary that they need."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

import numpy as np

from lean_audio.datasets.demo import music as sounds_music
from lean_audio.datasets.demo import nature as sounds_nature
from lean_audio.datasets.demo import things as sounds_things

# (rng, duration in s, sampling rate in Hz) -> samples of shape (round(duration * rate),)
Sound = Callable[[np.random.Generator, float, int], np.ndarray]

SOUNDS: Mapping[str, Sound] = MappingProxyType(
    {
        "Accelerating_and_revving_and_vroom": sounds_things.revving,
        "Acoustic_guitar": sounds_music.acoustic_guitar,
        "Bass_drum": sounds_music.bass_drum,
        "Bicycle_bell": sounds_things.bicycle_bell,
        "Chirp_and_tweet": sounds_nature.bird_chirp,
        "Church_bell": sounds_things.church_bell,
        "Clapping": sounds_nature.clapping,
        "Computer_keyboard": sounds_things.computer_keyboard,
        "Cricket": sounds_nature.cricket,
        "Crow": sounds_nature.crow,
        "Doorbell": sounds_things.doorbell,
        "Drip": sounds_nature.drip,
        "Glockenspiel": sounds_music.glockenspiel,
        "Gong": sounds_music.gong,
        "Harp": sounds_music.harp,
        "Hi-hat": sounds_music.hi_hat,
        "Idling": sounds_things.idling,
        "Knock": sounds_things.knock,
        "Marimba_and_xylophone": sounds_music.marimba,
        "Organ": sounds_music.organ,
        "Rain": sounds_nature.rain,
        "Siren": sounds_things.siren,
        "Snare_drum": sounds_music.snare_drum,
        "Thunder": sounds_nature.thunder,
        "Tick-tock": sounds_things.tick_tock,
        "Trumpet": sounds_music.trumpet,
        "Waves_and_surf": sounds_nature.waves,
        "Wind": sounds_nature.wind,
    }
)


@dataclass(frozen=True)
class Label:
    """One name of the vocabulary; ancestors run from the parent to the root."""

    name: str
    mid: str
    ancestors: tuple[str, ...]


def load_labels() -> dict[str, Label]:
    """Every leaf in `SOUNDS` and every ancestor, by name, as FSD50K spells them."""
    table = resources.files("lean_audio.datasets") / "data" / "demo_vocabulary.csv"
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return {row["label"]: Label(row["label"], row["mid"], _split(row["ancestors"])) for row in rows}


def _split(ancestors: str) -> tuple[str, ...]:
    return tuple(name for name in ancestors.split(";") if name)
