"""The checks of the data find what was planted, and nothing in clips that are in order."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from small_sets import RATE_HZ, VOCABULARY, Clip, make_dataset, noise

from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.datasets.layout import Dataset
from lean_audio.features.chunks import open_chunks
from lean_audio.review import checks
from lean_audio.review.checks import check_data, warnings
from lean_audio.review.copies import correlation
from lean_audio.review.sound import cut, level


def clean() -> dict[str, list[Clip]]:
    """Ten training clips of each label, and five of each in the other splits."""
    counts = {"train": 10, "val": 5, "eval": 5}
    return {
        split: [
            (f"{split}-{label}-{n}", [label], noise(100 * number + 10 * place + n))
            for place, label in enumerate(VOCABULARY)
            for n in range(counts[split])
        ]
        for number, split in enumerate(SPLIT_FOLDERS)
    }


def found(audio: Path, clips: Mapping[str, Sequence[Clip]], *vocabulary: str) -> dict[str, Any]:
    """Return what each check found, by its name, without those that found nothing."""
    content = check_data(make_dataset(audio, clips, vocabulary or VOCABULARY), audio)
    assert content["warnings"] == len(list(warnings(content)))
    return {check["name"]: check["first"] for check in content["checks"] if check["count"]}


def test_clips_in_order_give_no_warning(tmp_path: Path):
    assert found(tmp_path, clean()) == {}


def test_two_runs_write_the_same(tmp_path: Path):
    clips = clean()
    clips["eval"].append(("again", ["Rain"], clips["train"][0][2]))
    first, second = (
        check_data(make_dataset(tmp_path / name, clips), tmp_path / name) for name in "ab"
    )
    assert first == second


def as_mp3(samples: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE_HZ, format="MP3")
    file.seek(0)
    return soundfile.read(file, dtype="int16")[0]


COPIES = {
    "quieter": lambda samples: (samples * 0.3).astype(np.int16),
    "encoded again": as_mp3,
    "cut": lambda samples: samples[800:-800],
    "moved": lambda samples: np.concatenate([np.zeros(5000, np.int16), samples]),
}


@pytest.mark.parametrize("way", COPIES)
def test_a_changed_copy_in_another_split_is_found(tmp_path: Path, way: str):
    clips = clean()
    original = 0.8 * np.hanning(24_000) * noise(7)  # loud in the middle, as an event is
    clips["train"].append(("original", ["Hum"], original.astype(np.int16)))
    clips["eval"].append(("copy", ["Hum"], COPIES[way](original.astype(np.int16))))
    assert found(tmp_path, clips) == {
        "near_identical_across_splits": ["original (train) = copy (eval)"]
    }


def test_the_same_samples_in_another_split_are_identical(tmp_path: Path):
    clips = clean()
    name, _, samples = clips["train"][0]
    clips["eval"].append(("copy", ["Hum"], samples))
    assert found(tmp_path, clips) == {"identical_across_splits": [f"{name} (train) = copy (eval)"]}


def test_the_same_samples_with_other_labels_are_named(tmp_path: Path):
    clips = clean()
    name, _, samples = clips["train"][0]
    clips["train"].append(("copy", ["Rain"], samples))
    assert found(tmp_path, clips) == {
        "identical_with_other_labels": [f"{name} (Hum) = copy (Rain)"]
    }


def test_silent_and_clipped_clips_are_found(tmp_path: Path):
    clips = clean()
    silent, loud = np.zeros(9000, np.int16), (noise(8) * 8.0).clip(-32_768, 32_767)
    clips["val"] += [("silent", ["Hum"], silent), ("whisper", ["Hum"], silent + np.int16(20))]
    clips["train"].append(("loud", ["Rain"], loud.astype(np.int16)))
    clips["eval"].append(("silent too", ["Hum"], silent))
    assert found(tmp_path, clips) == {
        "silent": ["silent (val)", "whisper (val)", "silent too (eval)"],
        "clipped": ["loud (train)"],
    }


def test_a_few_samples_at_full_scale_are_no_clipping():
    samples = noise(9)
    samples[:20] = 32_767
    assert level(samples)["clipped"] == 20 / 24_000 < checks.CLIPPED_FRACTION
    assert level(np.array([-32_768, 3], np.int16)) | {"digest": ""} == {
        "peak": 1.0,
        "clipped": 0.5,
        "digest": "",
        "loudest": 0,
    }


def test_labels_say_what_is_missing(tmp_path: Path):
    clips = clean()
    for split, count in {"train": 3, "val": 1, "eval": 1}.items():
        for n in range(count):
            seed = 1000 + 10 * len(split) + n + 100 * (split == "eval")
            clips[split].append((f"{split}-bell-{n}", ["Bell", "Metal"], noise(seed)))
    clips["train"].append(("only", ["Gong"], noise(2000)))
    shortage = "3 training, 1 evaluation"
    assert found(tmp_path, clips, *VOCABULARY, "Bell", "Metal", "Gong") == {
        "labels_with_few_clips": [f"Bell ({shortage})", f"Metal ({shortage})"],
        "labels_in_one_split": ["Gong (train)"],
        "labels_always_together": ["Bell = Metal"],
    }


def test_a_clip_that_was_set_aside_does_not_count(tmp_path: Path):
    dataset = make_dataset(tmp_path, clean())
    extra = dataset.clips.iloc[[-1]].assign(clip="broken", split="train")
    clips = pd.concat([dataset.clips, extra], ignore_index=True)
    content = check_data(Dataset("sounds", "", False, VOCABULARY, clips), tmp_path)
    assert content["clips"] == 40 and content["warnings"] == 0


def test_only_the_first_ones_are_named_and_all_are_counted(tmp_path: Path):
    clips = clean()
    silent = np.zeros(1000, np.int16)
    clips["train"] += [(f"silent-{n}", ["Hum"], silent) for n in range(12)]
    content = check_data(make_dataset(tmp_path, clips), tmp_path)
    (check,) = [check for check in content["checks"] if check["count"]]
    assert (check["count"], len(check["first"])) == (12, checks.NAMED)
    (warning,) = warnings(content)
    assert warning.endswith(
        ": 12 clips (silent-0 (train), silent-1 (train), silent-2 (train) and 9 more)"
    )


def test_the_correlation_of_two_waveforms_allows_a_shift_and_a_gain():
    one, other = noise(3).astype(float), noise(4).astype(float)
    assert correlation(one, one) == pytest.approx(1)
    assert correlation(one, -0.1 * one[3000:]) == pytest.approx(1)
    assert correlation(one, other) < 0.1
    assert correlation(one, np.zeros(10)) == 0
    padded = np.concatenate([np.zeros(20_000), other[:4000]])
    assert correlation(np.concatenate([one[:4000], np.zeros(20_000)]), padded) < 0.2


@pytest.mark.parametrize("samples", [1, 79, 80, 81, 400, 15_999])
def test_the_shortest_clips_can_be_measured(tmp_path: Path, samples: int):
    clips = clean()
    clips["train"].append(("short", ["Hum"], noise(5)[:samples]))
    assert found(tmp_path, clips) == {}
    assert len(open_chunks(tmp_path / "dev/train").clip_samples(20)) == samples


def test_a_part_beyond_the_ends_is_silence():
    samples = np.arange(1, 6)
    assert cut(samples, -2, 4).tolist() == [0, 0, 1, 2]
    assert cut(samples, 3, 4).tolist() == [4, 5, 0, 0]
    assert cut(samples, -9, 4).tolist() == cut(samples, 9, 4).tolist() == [0, 0, 0, 0]
