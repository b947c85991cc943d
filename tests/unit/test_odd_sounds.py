"""Sounds as people have them: cut, joined, out of phase, misnamed; and what is no sound at all."""

import os
import socket
import struct

import numpy as np
import pytest
import soundfile

from lean_audio.audio.decode import read_blocks, read_clip, to_float
from lean_audio.audio.faults import BadClipError, DiskError, check_regular

RATE_HZ = 16_000
FORMATS = ("wav", "flac", "mp3", "ogg", "aiff")


def noise(seconds: float, seed: int = 0, rate_hz: int = RATE_HZ) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * rate_hz))


def write(path, sound: np.ndarray, rate_hz: int = RATE_HZ, **settings):
    soundfile.write(path, sound, rate_hz, **settings)
    return path


def read(path, **settings) -> tuple[np.ndarray, list[str]]:
    """Read as predict does: the samples, and the remarks."""
    notes: list[str] = []
    blocks = list(read_blocks(path, "HQ", note=notes.append, **settings))
    return np.concatenate(blocks), notes


def level_db(samples: np.ndarray) -> float:
    return 10 * np.log10(np.mean(to_float(samples) ** 2))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_blocks_are_the_whole(tmp_path, suffix, rate_hz):
    sound = np.stack([noise(40, 1, rate_hz), noise(40, 2, rate_hz)], 1)
    path = write(tmp_path / f"x.{suffix}", sound, rate_hz)
    samples, notes = read(path)
    np.testing.assert_array_equal(samples, read_clip(path, "HQ"))
    assert not notes
    blocks = list(read_blocks(path, "HQ"))
    assert len(blocks) > 1
    assert all(block.dtype == np.int16 and len(block) for block in blocks)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_cut_sound_is_read_up_to_the_cut_with_a_remark(tmp_path, suffix):
    path = write(tmp_path / f"x.{suffix}", noise(60))
    whole = read_clip(path, "HQ")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    samples, notes = read(path)
    assert len(samples) == pytest.approx(len(whole) / 2, rel=0.1)
    np.testing.assert_array_equal(samples[:100_000], whole[:100_000])
    assert notes and all("is used" in note for note in notes)
    with pytest.raises(BadClipError):
        read_clip(path, "HQ")


def without_size(content: bytes) -> bytes:
    """A WAV as a recorder leaves it that is killed: no size has been written."""
    at = content.index(b"data") + 4
    return content[:4] + bytes(4) + content[8:at] + bytes(4) + content[at + 4 :]


@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_wav_of_a_killed_recorder_is_read(tmp_path, subtype, kind):
    path = write(tmp_path / "x.wav", noise(20), subtype=subtype, format=kind)
    whole = read_clip(path, "HQ")
    path.write_bytes(without_size(path.read_bytes()))
    samples, (note,) = read(path)
    np.testing.assert_array_equal(samples[: len(whole)], whole)
    assert len(samples) - len(whole) <= 4  # float WAVs have chunks behind the samples
    assert "states no samples, as when a recorder is killed" in note
    with pytest.raises(BadClipError, match="empty: no samples"):
        read_clip(path, "HQ")


@pytest.mark.parametrize("suffix", ["wav", "aiff", "au", "w64", "rf64", "ogg", "opus"])
@pytest.mark.parametrize("part", [0.5, 0.95])
def test_a_cut_sound_is_remarked_on_whatever_its_container(tmp_path, suffix, part):
    settings = {"format": "OGG", "subtype": "OPUS"} if suffix == "opus" else {}
    path = write(tmp_path / f"x.{suffix}", noise(3), **settings)
    assert read(path)[1] == []
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    samples, notes = read(path)
    assert 0 < len(samples) < 3 * RATE_HZ
    assert "truncated" in notes[0]
    with pytest.raises(BadClipError, match="truncated"):
        read_clip(path, "HQ")


def test_a_wav_that_is_empty_stays_so(tmp_path):
    path = write(tmp_path / "x.wav", np.zeros(0))
    tagged = path.read_bytes() + b"LIST" + struct.pack("<I", 4) + b"INFO"
    for content in (path.read_bytes(), tagged):
        path.write_bytes(content)
        with pytest.raises(BadClipError, match="empty: no samples"):
            read(path)


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg"])
def test_joined_sounds_are_remarked_on(tmp_path, suffix):
    first = write(tmp_path / f"a.{suffix}", noise(30, 1))
    second = write(tmp_path / f"b.{suffix}", noise(5, 2))
    assert read(first)[1] == read(second)[1] == []
    samples = read_clip(first, "HQ")
    first.write_bytes(first.read_bytes() + second.read_bytes())
    joined, notes = read(first)
    if len(joined) == len(samples):
        assert notes == ["several files joined into one; only the first is used"]
    else:
        assert len(joined) > 34 * RATE_HZ


@pytest.mark.parametrize("trailer", [b"TAG" + bytes(125), b"APETAGEX" + bytes(24), bytes(500)])
def test_what_taggers_add_to_an_mp3_is_no_second_sound(tmp_path, trailer):
    path = write(tmp_path / "x.mp3", noise(10))
    path.write_bytes(path.read_bytes() + trailer)
    assert read(path)[1] == []


@pytest.mark.parametrize("suffix", ["wav", "aiff"])
def test_joined_sounds_that_cannot_be_read_are_called_so(tmp_path, suffix):
    path = write(tmp_path / f"x.{suffix}", noise(1))
    path.write_bytes(2 * path.read_bytes())
    with pytest.raises(BadClipError, match="several files joined into one"):
        read(path)


def test_channels_are_mixed_unless_that_loses_20_db(tmp_path):
    left = noise(3)
    for right, kept in ((0.0, False), (-0.7, False), (-0.85, True), (-1.0, True)):
        path = write(tmp_path / "x.wav", np.stack([left, right * left], 1), subtype="FLOAT")
        samples, notes = read(path)
        loud = level_db(samples) - level_db(np.rint(left * 32_768).astype("<i2"))
        assert (notes == ["its channels cancel out; the loudest is used"]) == kept
        assert loud == pytest.approx(0 if kept else 20 * np.log10((1 + right) / 2), abs=0.1)


def test_one_channel_can_be_chosen(tmp_path):
    sounds = [noise(12, seed) for seed in range(3)]
    path = write(tmp_path / "x.flac", np.stack(sounds, 1))
    for number, sound in enumerate(sounds, 1):
        expected = read_clip(write(tmp_path / "one.flac", sound), "HQ")
        np.testing.assert_array_equal(read(path, channel=number)[0], expected)
    with pytest.raises(BadClipError, match="has 3 channels, so no channel 4"):
        read(path, channel=4)


@pytest.mark.parametrize("scale", [100, 32_768, 8_388_608])
@pytest.mark.parametrize("suffix", ["wav", "aiff", "au"])
def test_float_samples_on_the_scale_of_integers_are_refused(tmp_path, suffix, scale):
    path = write(tmp_path / f"x.{suffix}", noise(1) * scale, subtype="FLOAT")
    with pytest.raises(BadClipError, match=r"samples reach .*, but full scale is 1"):
        read_clip(path, "HQ")
    assert len(read(write(path, noise(1) * 4, subtype="FLOAT"))[0]) == RATE_HZ


def test_a_rate_above_any_recorders_is_refused(tmp_path):
    path = write(tmp_path / "x.wav", noise(1))
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", 2**31 - 1)
    path.write_bytes(content)
    with pytest.raises(BadClipError, match=r"2,147,483,647 Hz, more than 768,000 Hz"):
        read(path)


M4A = b"\0\0\0\x18ftypM4A " + bytes(100)
ADTS = b"\xff\xf1\x50\x80" + bytes(100)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.mp3", b"", "the file is empty"),
        ("x.wav", b"", "the file is empty"),
        ("x.raw", b"", "the file is empty|empty: no samples"),
        ("x.mp3", b"hello " * 100, "Format not recognised"),
        ("x.flac", b"x", "Format not recognised"),
        ("x.m4a", M4A, r"MPEG-4 .* is not read here; convert it: ffmpeg -i IN out\.flac"),
        ("x.wav", M4A, "MPEG-4"),
        ("x.aac", ADTS, "AAC is not read here"),
        ("x.mp3", ADTS, "AAC is not read here"),
        ("x.webm", b"\x1aE\xdf\xa3" + bytes(60), "Matroska or WebM is not read here"),
        ("x.wav", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("x.wav", b"<!DOCTYPE html><html>", "a web page instead of the sound"),
        ("x.flac", b"PK\3\4" + bytes(60), "an archive; unpack it first"),
        ("x.wav", b"RIFF\x10\0\0\0WAVE", "unreadable: "),
    ],
)
def test_what_is_no_sound_is_called_by_its_name(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    for settings in ({}, {"note": print}):
        with pytest.raises(BadClipError, match=says) as error:
            list(read_blocks(tmp_path / name, "HQ", **settings))
        assert "regular file" not in str(error.value)


def test_a_broken_mp3_makes_no_noise(tmp_path, capfd):
    path = write(tmp_path / "x.mp3", noise(10))
    content = bytearray(path.read_bytes())
    for at in range(2000, len(content), 97):
        content[at] ^= 0xA5
    path.write_bytes(content)
    read(path)
    assert capfd.readouterr() == ("", "")


def odd_places(folder) -> dict[str, str]:
    """Name -> what is said of it."""
    (folder / "directory.wav").mkdir()
    os.mkfifo(folder / "pipe.wav")
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "dangling.wav").symlink_to("nowhere.wav")
    (folder / "to_pipe.wav").symlink_to("pipe.wav")
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(folder / "socket.wav"))
    bound.close()
    (folder / "zero.wav").symlink_to("/dev/zero")
    return {
        "directory.wav": "a directory, not a file",
        "pipe.wav": "a named pipe, not a file",
        "to_pipe.wav": "a named pipe, not a file",
        "loop.wav": "a link that leads to itself",
        "dangling.wav": "a link to nowhere.wav, which does not exist",
        "socket.wav": "a socket, not a file",
        "zero.wav": "a device, not a file",
        "gone.wav": "no such file",
        "x" * 300 + ".wav": "File name too long",
        "zero\0byte.wav": "no such file",
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_only_regular_files_are_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    for name, says in odd_places(tmp_path).items():
        with pytest.raises(BadClipError) as error:
            check_regular(tmp_path / name)
        assert str(error.value) == says
    for name in ("directory.wav", "pipe.wav", "loop.wav", "socket.wav", "zero.wav", "gone.wav"):
        with pytest.raises((BadClipError, DiskError)):  # and nothing waits for a writer
            read_clip(tmp_path / name, "HQ")


def test_a_link_to_a_sound_is_one(tmp_path):
    (tmp_path / "link.wav").symlink_to(write(tmp_path / "x.wav", noise(1)))
    assert len(read(tmp_path / "link.wav")[0]) == RATE_HZ


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may read everything")
def test_a_file_without_permission_is_the_disks_fault(tmp_path):
    path = write(tmp_path / "x.wav", noise(1))
    path.chmod(0)
    with pytest.raises(DiskError, match="Permission denied"):
        read(path)
