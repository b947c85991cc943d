"""Files and streams give the same scores on the same samples."""

import io
from functools import cache

import numpy as np
import pytest
import soundfile
from device_models import write

from lean_audio.audio.chunking import chunk_views
from lean_audio.audio.decode import read_clip, to_int16
from lean_audio.cli.pcm import read_pcm
from lean_audio.errors import LeanError
from lean_audio.tagger import Tagger, clip_scores


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(samples).integers(-9000, 9000, samples, dtype=np.int16)


def refuse(sentence: str) -> None:
    raise AssertionError(sentence)


def blocks_of(samples: np.ndarray, sizes) -> list[np.ndarray]:
    return np.split(samples, np.cumsum(sizes)[np.cumsum(sizes) < len(samples)])


@pytest.fixture(scope="module")
def open_tagger(lean, tmp_path_factory):
    """(hop_s, tail) -> Tagger."""

    @cache
    def opened(hop_s: float, tail: str) -> Tagger:
        path = tmp_path_factory.mktemp("tagger") / "x.tflite"
        return Tagger(write(lean.bare, path, "float32", {}, hop_s=hop_s, tail=tail))

    return opened


@pytest.mark.parametrize("tail", ["repeat", "drop"])
@pytest.mark.parametrize("hop_s", [0.5, 1.0, 0.3])
@pytest.mark.parametrize("samples", [1, 15_599, 16_000, 16_001, 24_000, 40_001])
def test_a_stream_gives_what_the_file_gives(open_tagger, samples, hop_s, tail):
    tagger, sound = open_tagger(hop_s, tail), noise(samples)
    whole = list(tagger.spans(sound))
    streamed = list(tagger.stream(blocks_of(sound, [7, 5000, 16_000, 1, 9000])))
    assert [(s.start_s, s.end_s) for s in streamed] == [(s.start_s, s.end_s) for s in whole]
    assert len(whole) == len(chunk_views(samples, round(hop_s * 16_000), tail))
    np.testing.assert_array_equal(clip_scores(streamed), clip_scores(whole))


def test_a_stream_without_samples_has_no_chunks(shipped):
    assert list(Tagger(shipped).stream([])) == []
    assert list(Tagger(shipped).stream([np.empty(0, np.int16)])) == []


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(16_000, 1), (16_000, 2), (44_100, 1), (8000, 2)]
)
def test_raw_samples_become_what_the_file_becomes(tmp_path, rate_hz, channels):
    sound = noise(rate_hz * channels * 2).reshape(-1, channels)
    soundfile.write(tmp_path / "x.wav", sound, rate_hz, subtype="PCM_16")
    from_file = read_clip(tmp_path / "x.wav", "HQ").astype(int)
    settings = {"encoding": "s16le", "resampler": "HQ", "block_s": 0.1, "fault": refuse}
    settings["channels"] = channels
    pieces = read_pcm(io.BytesIO(sound.tobytes()), rate_hz=rate_hz, **settings)
    from_stream = np.concatenate(list(pieces)).astype(int)
    assert len(from_stream) == len(from_file)
    assert np.abs(from_stream - from_file).max() <= (0 if rate_hz == 16_000 else 1)


def test_float_samples_are_read_too():
    sound = np.linspace(-0.5, 0.5, 4000, dtype="<f4")
    (block,) = read_pcm(
        io.BytesIO(sound.tobytes()),
        rate_hz=16_000,
        channels=1,
        encoding="f32le",
        resampler="HQ",
        block_s=1.0,
        fault=refuse,
    )
    np.testing.assert_array_equal(block, to_int16(sound))


@pytest.mark.parametrize(
    ("data", "encoding", "channels", "says"),
    [
        (np.array([np.nan], "<f4").tobytes(), "f32le", 1, "NaN"),
    ],
)
def test_bad_raw_samples_are_refused(data, encoding, channels, says):
    settings = {"rate_hz": 16_000, "resampler": "HQ", "block_s": 0.5, "fault": refuse}
    with pytest.raises(LeanError, match=says):
        list(read_pcm(io.BytesIO(data), encoding=encoding, channels=channels, **settings))


def test_a_file_of_any_rate_and_channels_gives_labels_with_their_scores(open_tagger, tmp_path):
    tagger = open_tagger(0.5, "repeat")
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, (66_150, 2))
    soundfile.write(tmp_path / "stereo.flac", sound, 44_100)
    found = tagger.predict(tmp_path / "stereo.flac")
    samples = read_clip(tmp_path / "stereo.flac", tagger.card["resampler"])
    expected = clip_scores(list(tagger.spans(samples)))
    assert found == dict(zip(tagger.labels, expected.tolist(), strict=True))
    assert list(found.values()) == sorted(found.values(), reverse=True)


@pytest.mark.parametrize("samples", [np.zeros(16_000), np.zeros((16_000, 2), np.int16)])
def test_samples_that_would_be_scored_wrongly_are_refused(open_tagger, samples):
    with pytest.raises(LeanError, match=r"takes int16 of shape \(n,\), mono at 16 kHz; predict"):
        list(open_tagger(0.5, "repeat").spans(samples))
