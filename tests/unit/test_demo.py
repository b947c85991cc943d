"""The demo set: reproducible to the byte, labelled like FSD50K, and made of real differences."""

import csv
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lean_audio.datasets.demo.generate import (
    MINIMUM_CLIPS,
    ClipPlan,
    generate,
    label_clip,
    plan_clips,
    render_clip,
)
from lean_audio.datasets.demo.synth import pluck
from lean_audio.datasets.demo.vocabulary import SOUNDS, load_labels
from lean_audio.errors import LeanError

DEFAULT_CLIPS = 400


def hash_files(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files
    }


def read_rows(root: Path, name: str) -> list[list[str]]:
    with (root / "FSD50K.ground_truth" / f"{name}.csv").open(newline="") as file:
        return list(csv.reader(file))


def make_sound(name: str, duration_s: float, sample_rate_hz: int, seed: int = 1) -> np.ndarray:
    return SOUNDS[name](np.random.default_rng(seed), duration_s, sample_rate_hz)


def centroid_hz(samples: np.ndarray, sample_rate_hz: int) -> float:
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    return float(np.average(np.fft.rfftfreq(len(samples), 1 / sample_rate_hz), weights=power))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo") / "set"
    generate(root, clips=80, seed=1)
    return root


@pytest.fixture(scope="module")
def plans() -> list[ClipPlan]:
    return plan_clips(DEFAULT_CLIPS, seed=1)


# --- files ---


def test_same_seed_replaces_an_older_set_by_the_same_bytes(small: Path, tmp_path: Path) -> None:
    root = tmp_path / "again"
    root.mkdir()
    (root / "stale.txt").write_text("old")
    generate(root, clips=80, seed=1)
    assert hash_files(root) == hash_files(small)
    assert len(hash_files(root)) == 80 + 3
    assert list(tmp_path.iterdir()) == [root]


def test_another_seed_gives_other_sounds(small: Path, tmp_path: Path) -> None:
    generate(tmp_path / "other", clips=MINIMUM_CLIPS, seed=2)
    shared = set(hash_files(small).values()) & set(hash_files(tmp_path / "other").values())
    assert shared == {hash_files(small)["FSD50K.ground_truth/vocabulary.csv"]}


def test_a_clip_does_not_depend_on_the_clips_before_it(plans: list[ClipPlan]) -> None:
    alone = render_clip(plans[40], seed=1)
    render_clip(plans[3], seed=1)
    np.testing.assert_array_equal(render_clip(plans[40], seed=1), alone)


def test_a_failure_leaves_the_older_set_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "set"
    root.mkdir()
    (root / "kept.txt").write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(soundfile, "write", fail)
    with pytest.raises(OSError, match="disk full"):
        generate(root, clips=MINIMUM_CLIPS, seed=1)
    assert hash_files(tmp_path).keys() == {"set/kept.txt"}


def test_audio_files_are_what_the_plan_says(small: Path) -> None:
    for plan in plan_clips(80, seed=1):
        part = "eval" if plan.split == "eval" else "dev"
        path = small / f"FSD50K.{part}_audio" / f"{plan.number}.{plan.extension}"
        samples, sample_rate_hz = soundfile.read(path, always_2d=True)
        assert sample_rate_hz == plan.sample_rate_hz
        assert samples.shape == (round(plan.duration_s * sample_rate_hz), plan.channels)
        assert 0.01 < np.abs(samples).max() < 0.95


# --- labels ---


def test_rows_and_files_match_one_to_one(small: Path) -> None:
    numbers = []
    for part, columns in (("dev", ["fname", "labels", "mids", "split"]), ("eval", None)):
        header, *rows = read_rows(small, part)
        assert header == (columns or ["fname", "labels", "mids"])
        stems = [path.stem for path in (small / f"FSD50K.{part}_audio").iterdir()]
        assert sorted(stems) == sorted(row[0] for row in rows)
        numbers += map(int, stems)
    assert sorted(numbers) == list(range(1, 81))


def test_every_label_is_in_the_vocabulary_with_its_mid_and_ancestors(small: Path) -> None:
    vocabulary = {name: mid for _, name, mid in read_rows(small, "vocabulary")}
    labels = load_labels()
    for _, joined_names, joined_mids, *_ in (
        read_rows(small, "dev")[1:] + read_rows(small, "eval")[1:]
    ):
        names = joined_names.split(",")
        assert [vocabulary[name] for name in names] == joined_mids.split(",")
        assert len(set(names)) == len(names)
        assert all(set(labels[name].ancestors) <= set(names) for name in names)


def test_vocabulary_is_numbered_and_sorted_by_name(small: Path) -> None:
    rows = read_rows(small, "vocabulary")
    assert [int(index) for index, _, _ in rows] == list(range(len(rows)))
    names = [name for _, name, _ in rows]
    assert names == sorted(load_labels())


def test_a_mixture_is_labelled_with_its_leaves_and_then_their_ancestors(
    plans: list[ClipPlan],
) -> None:
    labels = load_labels()
    for plan in plans:
        names = label_clip(plan, labels)
        assert names[: len(plan.leaves)] == plan.leaves
        expected = set(plan.leaves).union(*(labels[leaf].ancestors for leaf in plan.leaves))
        assert set(names) == expected
    assert labels["Church_bell"].ancestors == ("Bell",)  # no instrument, says FSD50K


# --- the plan ---


def test_the_default_set_is_large_and_multi_label(plans: list[ClipPlan]) -> None:
    assert len(plans) >= 400
    assert len({leaf for plan in plans for leaf in plan.leaves}) >= 20
    assert np.mean([len(set(plan.leaves)) > 1 for plan in plans]) >= 0.3


def test_each_split_has_its_share_and_every_leaf(plans: list[ClipPlan]) -> None:
    for split, share, fewest in (("train", 0.6, 8), ("val", 0.1, 1), ("eval", 0.3, 4)):
        firsts = Counter(plan.leaves[0] for plan in plans if plan.split == split)
        assert firsts.total() / len(plans) == pytest.approx(share, abs=0.06)
        assert set(firsts) == set(SOUNDS)
        assert min(firsts.values()) >= fewest


@pytest.mark.parametrize("seed", [0, 7])
def test_the_smallest_set_has_each_leaf_in_train_and_eval(seed: int) -> None:
    plans = plan_clips(MINIMUM_CLIPS, seed)
    for split in ("train", "eval"):
        assert {plan.leaves[0] for plan in plans if plan.split == split} == set(SOUNDS)
    assert any(plan.split == "val" for plan in plans)


def test_too_few_clips_are_refused_by_name_and_minimum(tmp_path: Path) -> None:
    with pytest.raises(LeanError, match=f"{MINIMUM_CLIPS - 1} clips.*at least {MINIMUM_CLIPS}"):
        generate(tmp_path / "set", clips=MINIMUM_CLIPS - 1, seed=1)
    assert not list(tmp_path.iterdir())


# --- the sounds ---


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize(
    ("duration_s", "sample_rate_hz"), [(0.3, 8000), (0.30011, 48000), (1.2345, 11025), (6.0, 16000)]
)
def test_sound_is_exactly_long_finite_and_heard(
    name: str, duration_s: float, sample_rate_hz: int
) -> None:
    samples = make_sound(name, duration_s, sample_rate_hz)
    assert samples.shape == (round(duration_s * sample_rate_hz),)
    assert np.isfinite(samples).all()
    assert np.sqrt(np.mean(samples**2)) > 1e-3


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_differs_from_clip_to_clip(name: str) -> None:
    first, second = make_sound(name, 1.0, 16000, seed=1), make_sound(name, 1.0, 16000, seed=2)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.9


def test_siren_never_keeps_its_pitch() -> None:
    for seed in range(5):
        frames = make_sound("Siren", 4.0, 16000, seed).reshape(80, 800)  # 50 ms each
        heard = [centroid_hz(frame, 16000) for frame in frames[1:-1]]
        assert np.ptp(heard) > 300


def test_plucked_string_dies_away_at_its_pitch() -> None:
    string = pluck(np.random.default_rng(1), 220.5, t60_s=1.0, duration_s=2.0, rate_hz=44100)
    levels = np.sqrt(np.mean(string.reshape(10, -1) ** 2, axis=1))  # 0.2 s each
    assert (np.diff(levels) < 0).all()
    assert levels[-1] < 0.01 * levels[0]
    power = np.abs(np.fft.rfft(string[-44100:] * np.hanning(44100))) ** 2  # 1-Hz bins
    assert power[np.abs(np.arange(len(power)) % 220 - 110) > 100].sum() > 0.99 * power.sum()


@pytest.mark.parametrize(
    ("dark", "bright", "ratio"),
    [
        ("Bass_drum", "Hi-hat", 20),
        ("Wind", "Rain", 3),
        ("Thunder", "Rain", 3),
        ("Idling", "Crow", 3),
    ],
)
def test_one_sound_is_far_darker_than_another(dark: str, bright: str, ratio: float) -> None:
    for seed in range(5):
        low, high = (make_sound(name, 2.0, 44100, seed) for name in (dark, bright))
        assert ratio * centroid_hz(low, 44100) < centroid_hz(high, 44100)


def test_gong_dies_away_and_organ_is_held() -> None:
    def fall_db(name: str) -> float:
        samples = make_sound(name, 6.0, 16000)
        start, end = samples[1600:17600], samples[-17600:-1600]
        return 10 * np.log10(np.mean(start**2) / np.mean(end**2))

    assert fall_db("Gong") > 10
    assert abs(fall_db("Organ")) < 3


@pytest.mark.parametrize("sample_rate_hz", [8000, 44100])
def test_cricket_is_one_pure_tone_below_the_band_limit(sample_rate_hz: int) -> None:
    power = np.abs(np.fft.rfft(make_sound("Cricket", 2.0, sample_rate_hz))) ** 2
    frequencies_hz = np.fft.rfftfreq(2 * sample_rate_hz, 1 / sample_rate_hz)
    peak_hz = frequencies_hz[power.argmax()]
    near = np.abs(frequencies_hz - peak_hz) < 250
    assert 3000 < peak_hz < 0.45 * sample_rate_hz
    assert power[near].sum() > 0.99 * power.sum()
