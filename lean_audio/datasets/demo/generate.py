"""Generate the demo dataset: synthetic sounds in FSD50K layout, the same bytes on every run.

Each clip is planned and rendered with its own random streams, derived from the seed and the clip's
number, so no clip depends on the order in which clips are generated.
"""

import csv
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import soundfile
from scipy import signal

from lean_audio.datasets.demo.vocabulary import SOUNDS, Label, load_labels
from lean_audio.errors import LeanError
from lean_audio.screen import progress

Choice = TypeVar("Choice")

SEED = 1
MINIMUM_CLIPS = 60  # two per leaf label, one in train and one in eval, and a few in val

# Splits of the first, second, ... clip of every leaf label.
SPLIT_CYCLE = ("train", "eval", "val", "train", "train", "eval", "train", "train", "eval", "train")

SHORTEST_S, LONGEST_S = 0.3, 6.0
SOURCE_COUNTS = MappingProxyType({1: 0.6, 2: 0.26, 3: 0.14})
SAMPLE_RATES_HZ = MappingProxyType(
    {8000: 0.08, 11025: 0.08, 16000: 0.18, 22050: 0.14, 32000: 0.12, 44100: 0.25, 48000: 0.15}
)
CHANNELS = MappingProxyType({1: 0.75, 2: 0.25})

# (extension, container, subtype). Float WAV is left out because its header holds the time of
# writing, Ogg because its stream number is random.
FORMATS = MappingProxyType(
    {
        ("wav", "WAV", "PCM_16"): 0.37,
        ("wav", "WAV", "PCM_24"): 0.12,
        ("wav", "WAV", "PCM_U8"): 0.08,
        ("wav", "WAV", "ALAW"): 0.08,
        ("aiff", "AIFF", "PCM_16"): 0.1,
        ("flac", "FLAC", "PCM_16"): 0.18,
        ("mp3", "MP3", "MPEG_LAYER_III"): 0.07,
    }
)


@dataclass(frozen=True)
class ClipPlan:
    """Everything that is decided about a clip before its sound is rendered."""

    number: int
    split: str
    leaves: tuple[str, ...]
    duration_s: float
    sample_rate_hz: int
    channels: int
    extension: str
    container: str
    subtype: str


def generate(root: Path, *, clips: int, seed: int = SEED) -> None:
    """Write the dataset to `root`, replacing what is there; on failure `root` is unchanged.

    Raises LeanError if there are fewer clips than MINIMUM_CLIPS.
    """
    plans = plan_clips(clips, seed)
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=f".{root.name}.") as temporary:
        fresh = Path(temporary) / "fresh"
        _write_audio(fresh, plans, seed)
        _write_ground_truth(fresh / "FSD50K.ground_truth", plans)
        if root.exists():
            root.rename(Path(temporary) / "replaced")
        fresh.rename(root)


def plan_clips(clips: int, seed: int) -> list[ClipPlan]:
    """Assign leaf labels round-robin from a shuffled list, so every split has all of them."""
    if clips < MINIMUM_CLIPS:
        raise LeanError(
            f"the demo set cannot have {clips} clips: it needs at least {MINIMUM_CLIPS}, "
            f"so that each of its {len(SOUNDS)} sounds occurs in train and in eval"
        )
    if seed < 0:
        raise LeanError(f"the demo set's seed is {seed}: it must be 0 or more")
    order = np.random.default_rng(seed).permutation(sorted(SOUNDS)).tolist()
    return [_plan_clip(number, order, seed) for number in range(1, clips + 1)]


def _plan_clip(number: int, order: Sequence[str], seed: int) -> ClipPlan:
    rng = _make_rng(seed, number, "plan")
    turn, place = divmod(number - 1, len(order))
    others = [leaf for leaf in order if leaf != order[place]]
    extra = rng.choice(others, _draw(rng, SOURCE_COUNTS) - 1, replace=False).tolist()
    extension, container, subtype = _draw(rng, FORMATS)
    return ClipPlan(
        number=number,
        split=SPLIT_CYCLE[turn % len(SPLIT_CYCLE)],
        leaves=(order[place], *extra),
        duration_s=_draw_duration_s(rng),
        sample_rate_hz=_draw(rng, SAMPLE_RATES_HZ),
        channels=_draw(rng, CHANNELS),
        extension=extension,
        container=container,
        subtype=subtype,
    )


def _make_rng(seed: int, number: int, purpose: str) -> np.random.Generator:
    spawn_key = (number, ("plan", "sound").index(purpose))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))


def _draw(rng: np.random.Generator, weights: Mapping[Choice, float]) -> Choice:
    index = rng.choice(len(weights), p=list(weights.values()))
    return list(weights)[int(index)]


def render_clip(plan: ClipPlan, seed: int) -> np.ndarray:
    """Render a clip: samples within (-1, 1), (n, channels)."""
    rng = _make_rng(seed, plan.number, "sound")
    mix = np.sum([_render_source(rng, plan, leaf) for leaf in plan.leaves], axis=0)
    mix = mix / np.abs(mix).max() + _render_background(rng, mix.shape)
    peak = 10 ** (rng.uniform(-12, -2) / 20)
    return mix * (peak / np.abs(mix).max())


def _draw_duration_s(rng: np.random.Generator) -> float:
    """Draw 0.3 to 6 s, half of them below 0.44 s: short clips keep training quick."""
    return float(SHORTEST_S * (LONGEST_S / SHORTEST_S) ** rng.uniform() ** 3)


def _render_source(rng: np.random.Generator, plan: ClipPlan, leaf: str) -> np.ndarray:
    """Render one source at a random onset, level and pan, (n, channels)."""
    onset_s = rng.uniform(0, 0.4) * (plan.duration_s - SHORTEST_S)
    sound = SOUNDS[leaf](rng, plan.duration_s - onset_s, plan.sample_rate_hz)
    gain = 10 ** (rng.uniform(-10, 0) / 20) / np.abs(sound).max()
    source = np.zeros((round(plan.duration_s * plan.sample_rate_hz), plan.channels))
    pan = rng.uniform(0.1, 0.9) * np.pi / 2  # equal power; unused in mono
    sides = np.array([np.cos(pan), np.sin(pan)]) if plan.channels == 2 else np.ones(1)
    kept = min(len(sound), len(source))
    source[len(source) - kept :] = gain * sound[:kept, None] * sides
    return source


def _render_background(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Render soft noise, darker than white, 38 to 65 dB below the loudest sample."""
    rms = 10 ** (rng.uniform(-65, -38) / 20)
    noise = signal.lfilter([1.0], [1.0, -rng.uniform(0.3, 0.9)], rng.standard_normal(shape), axis=0)
    return rms * noise / np.sqrt(np.mean(noise**2))


def label_clip(plan: ClipPlan, labels: Mapping[str, Label]) -> tuple[str, ...]:
    """Return the clip's leaf labels, then the ancestors of each, without repetition."""
    ancestors = [name for leaf in plan.leaves for name in labels[leaf].ancestors]
    return tuple(dict.fromkeys((*plan.leaves, *ancestors)))


def _write_audio(root: Path, plans: Sequence[ClipPlan], seed: int) -> None:
    for part in ("dev", "eval"):
        (root / f"FSD50K.{part}_audio").mkdir(parents=True)
    for plan in progress(plans, "demo clips", unit="clip"):
        part = "eval" if plan.split == "eval" else "dev"
        path = root / f"FSD50K.{part}_audio" / f"{plan.number}.{plan.extension}"
        samples = render_clip(plan, seed)
        soundfile.write(
            path, samples, plan.sample_rate_hz, format=plan.container, subtype=plan.subtype
        )


def _write_ground_truth(folder: Path, plans: Sequence[ClipPlan]) -> None:
    labels = load_labels()
    dev, eval_, used = [], [], set()
    for plan in plans:
        names = label_clip(plan, labels)
        used.update(names)
        row = [plan.number, ",".join(names), ",".join(labels[name].mid for name in names)]
        if plan.split == "eval":
            eval_.append(row)
        else:
            dev.append([*row, plan.split])
    vocabulary = [[index, name, labels[name].mid] for index, name in enumerate(sorted(used))]
    folder.mkdir()
    _write_csv(folder / "dev.csv", [["fname", "labels", "mids", "split"], *dev])
    _write_csv(folder / "eval.csv", [["fname", "labels", "mids"], *eval_])
    _write_csv(folder / "vocabulary.csv", vocabulary)


def _write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
