"""Decoding and resampling: any format and rate in, 16-bit mono at 16 kHz out."""

import numpy as np
import pytest
import soundfile

from lean_audio.audio.decode import read_clip, to_float, to_int16
from lean_audio.audio.faults import BadClipError


def tone(rate_hz: int, frequency_hz: float = 440.0, seconds: float = 1.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(rate_hz * seconds)) / rate_hz)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
def test_any_rate_becomes_16_khz(tmp_path, rate_hz):
    soundfile.write(tmp_path / "clip.wav", tone(rate_hz), rate_hz)
    samples = read_clip(tmp_path / "clip.wav", "HQ")
    assert samples.dtype == np.dtype("<i2")
    assert abs(len(samples) - 16000) <= 1
    error = to_float(samples)[500:15500] - tone(16000)[500:15500]
    assert np.abs(error).max() < 2e-3


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        *[(".wav", subtype) for subtype in ("PCM_16", "PCM_24", "PCM_U8", "FLOAT", "ALAW")],
        *[(".flac", "PCM_16"), (".aiff", "PCM_16"), (".ogg", "VORBIS"), (".mp3", None)],
    ],
)
def test_any_format_is_read(tmp_path, suffix, subtype):
    path = tmp_path / f"clip{suffix}"
    soundfile.write(path, tone(16000), 16000, subtype=subtype)
    samples = to_float(read_clip(path, "HQ"))[2000:14000]
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.03)


def test_channels_are_averaged(tmp_path):
    left, right = tone(16000), tone(16000, 880)
    soundfile.write(tmp_path / "clip.wav", np.stack([left, right], 1), 16000, subtype="FLOAT")
    expected = to_int16(((left + right) / 2).astype("f4"))
    assert np.abs(read_clip(tmp_path / "clip.wav", "HQ").astype(int) - expected).max() <= 1


def test_resampling_lets_no_alias_through(tmp_path):
    """Slicing every third sample would fold 15 kHz down to 1 kHz at full strength."""
    soundfile.write(tmp_path / "clip.wav", tone(48000, 15000), 48000)
    assert np.abs(to_float(read_clip(tmp_path / "clip.wav", "HQ"))[200:-200]).max() < 1e-3


@pytest.mark.parametrize("quality", ["MQ", "HQ", "VHQ"])
def test_resampling_is_librosas(tmp_path, quality):
    librosa = pytest.importorskip("librosa")
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 44100).astype("f4")
    soundfile.write(tmp_path / "clip.wav", noise, 44100, subtype="FLOAT")
    theirs, _ = librosa.load(tmp_path / "clip.wav", sr=16000, res_type=f"soxr_{quality.lower()}")
    ours = to_float(read_clip(tmp_path / "clip.wav", quality))
    assert np.abs(ours - theirs[: len(ours)]).max() <= 1 / 32768


def test_16_bit_samples_survive_unchanged(tmp_path):
    samples = np.random.default_rng(0).integers(-32768, 32768, 20000).astype("<i2")
    soundfile.write(tmp_path / "clip.wav", samples, 16000)
    np.testing.assert_array_equal(read_clip(tmp_path / "clip.wav", "HQ"), samples)
    np.testing.assert_array_equal(to_int16(to_float(samples)), samples)


def test_samples_beyond_full_scale_are_clipped_not_wrapped():
    np.testing.assert_array_equal(to_int16(np.array([1.5, -1.5, 0.0])), [32767, -32768, 0])


def test_silence_is_sound(tmp_path):
    soundfile.write(tmp_path / "clip.wav", np.zeros(100), 16000)
    assert len(read_clip(tmp_path / "clip.wav", "HQ")) == 100


def test_an_mp3_without_a_length_tag_is_read_for_what_it_holds(tmp_path):
    """libsndfile only guesses its length, rightly for a constant bit rate; a cut one is shorter."""
    path = tmp_path / "clip.mp3"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 20 * 44100)
    soundfile.write(path, noise, 44100, bitrate_mode="CONSTANT", compression_level=0.5)
    tagged = path.read_bytes()
    assert b"Info\0\0\0" in tagged or b"Xing\0\0\0" in tagged
    untagged = tagged.replace(b"Info\0", b"\0" * 5).replace(b"Xing\0", b"\0" * 5)
    path.write_bytes(untagged)
    whole = len(read_clip(path, "HQ"))
    assert whole == pytest.approx(20 * 16000, rel=0.01)
    path.write_bytes(untagged[: len(untagged) // 2])
    assert len(read_clip(path, "HQ")) == pytest.approx(whole / 2, rel=0.1)


@pytest.mark.parametrize("rate_hz", [1, 8, 999])
def test_a_rate_that_no_recorder_has_is_refused(tmp_path, rate_hz):
    soundfile.write(tmp_path / "clip.wav", np.zeros(200_000), rate_hz)  # 55 h at 1 Hz
    with pytest.raises(BadClipError, match=rf"states {rate_hz} Hz, less than 1,000 Hz"):
        read_clip(tmp_path / "clip.wav", "HQ")


def test_a_clip_longer_than_the_limit_is_refused_before_it_is_read(tmp_path):
    soundfile.write(tmp_path / "clip.flac", np.zeros(16_001), 1_000)
    with pytest.raises(BadClipError, match=r"16 s long, more than prepare.max_clip_s \(16\)"):
        read_clip(tmp_path / "clip.flac", "HQ", 16)
    assert len(read_clip(tmp_path / "clip.flac", "HQ", 16.001)) == 16 * 16_001


def test_a_flac_without_a_length_is_read_to_its_end(tmp_path):
    """A recorder that writes into a pipe cannot go back and state it."""
    path = tmp_path / "clip.flac"
    soundfile.write(path, tone(44_100, seconds=30), 44_100)
    whole = read_clip(path, "HQ")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    np.testing.assert_array_equal(read_clip(path, "HQ", 30.1), whole)
    with pytest.raises(BadClipError, match=r"long, more than prepare.max_clip_s \(20\)"):
        read_clip(path, "HQ", 20)


def write_bad(path, kind: str) -> None:
    if kind == "nan":
        soundfile.write(path, np.full(1000, np.nan), 16000, subtype="FLOAT")
    elif kind == "no samples":
        soundfile.write(path, np.zeros(0), 16000)
    elif kind == "one sample at 192 kHz":
        soundfile.write(path, np.zeros(1), 192_000)
    elif kind == "text":
        path.write_text("this is no sound")
    else:
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, 20 * 16000)
        soundfile.write(path, noise, 16000)
        whole = path.read_bytes()
        path.write_bytes(whole[: 0 if kind == "zero bytes" else len(whole) // 2])


@pytest.mark.parametrize(
    ("suffix", "kind", "reason"),
    [
        (".wav", "nan", "NaN"),
        (".wav", "no samples", "empty"),
        (".wav", "zero bytes", "unreadable"),
        (".wav", "text", "unreadable"),
        (".wav", "cut", "truncated"),
        (".aiff", "cut", "truncated"),
        (".flac", "cut", "unreadable|truncated"),
        (".ogg", "cut", "truncated"),
        (".mp3", "cut", "truncated"),
        (".raw", "text", "unreadable"),
        (".wav", "one sample at 192 kHz", "empty"),
    ],
)
def test_a_bad_clip_says_why(tmp_path, suffix, kind, reason):
    path = tmp_path / f"clip{suffix}"
    write_bad(path, kind)
    with pytest.raises(BadClipError, match=reason) as error:
        read_clip(path, "HQ")
    assert str(tmp_path) not in str(error.value)
