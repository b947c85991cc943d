"""Archives in parts, made by `zip` itself, read in place; what cannot be trusted is refused."""

import io
import os
import shutil
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import soundfile
from fsd50k import has_zip, pack

from lean_audio.audio.decode import read_clip
from lean_audio.audio.faults import BadClipError
from lean_audio.audio.split_zip import ArchiveRoot, Piece, Pieces, crc32, open_archive, read_entry
from lean_audio.errors import LeanError

needs_zip = pytest.mark.skipif(not has_zip(), reason="no `zip` on the PATH to make archives with")


@pytest.fixture
def sounds(tmp_path):
    """20 clips of noise in one folder."""
    root = tmp_path / "plain"
    (root / "clips").mkdir(parents=True)
    for number in range(20):
        noise = np.random.default_rng(number).uniform(-0.5, 0.5, 20_000 + 500 * number)
        soundfile.write(root / "clips" / f"{number}.wav", noise, 22_050)
    return root


@pytest.fixture
def split(sounds, tmp_path):
    """The same in an archive of six parts."""
    folder = tmp_path / "packed"
    folder.mkdir()
    pack(sounds, "clips", folder / "clips.zip", 6)
    return folder


def tamper(path, change):
    """Rewrite the last part of an archive."""
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


@needs_zip
def test_every_entry_of_a_split_archive_is_read_as_it_was(sounds, split):
    folder = ArchiveRoot(split) / "clips"
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    assert names == sorted(path.name for path in (sounds / "clips").iterdir())
    for name in names:
        content = (sounds / "clips" / name).read_bytes()
        assert read_entry(folder / name) == content
        assert crc32(folder / name) == f"{zipfile.crc32(content):08x}"
        np.testing.assert_array_equal(
            read_clip(folder / name, "HQ"), read_clip(sounds / "clips" / name, "HQ")
        )


@needs_zip
def test_the_last_part_ends_as_that_of_more_than_4_gib_does(split):
    """Which the standard library cannot read as it is."""
    content = (split / "clips.zip").read_bytes()
    assert content[-42:-38] == b"PK\x06\x07"
    with pytest.raises(zipfile.BadZipFile, match="multiple disks"):
        zipfile.ZipFile(split / "clips.zip")


@needs_zip
@pytest.mark.parametrize("leftover", ["clips.z02.bad", "clips.z03.part", "clips.z9x"])
def test_what_a_download_left_is_no_part(split, leftover):
    (split / leftover).write_bytes(b"x")
    assert len(open_archive(split / "clips.zip").infolist()) == 21


@needs_zip
def test_some_entries_do_straddle_two_parts(split):
    """Else the test above would show little."""
    parts = [*sorted(split.glob("clips.z0?")), split / "clips.zip"]
    starts = np.cumsum([0] + [part.stat().st_size for part in parts])
    entries = open_archive(split / "clips.zip").infolist()
    ends = [entry.header_offset + entry.compress_size for entry in entries]
    first = np.searchsorted(starts, [entry.header_offset for entry in entries], side="right")
    last = np.searchsorted(starts, ends, side="right")
    assert (first != last).sum() >= 4


def test_pieces_read_as_one_file(tmp_path):
    content = os.urandom(1000)
    pieces = []
    for number, (start, end) in enumerate([(0, 1), (1, 1), (1, 600), (600, 1000)]):
        path = tmp_path / str(number)
        path.write_bytes(b"before" + content[start:end] + b"after")
        pieces.append(Piece(path, 6, end - start))
    whole, reader = io.BytesIO(content), io.BufferedReader(Pieces(pieces), 64)
    rng = np.random.default_rng(1)
    for _ in range(200):
        offset, count = (int(number) for number in rng.integers(0, 1100, 2))
        assert reader.seek(offset) == whole.seek(offset)
        assert reader.read(count) == whole.read(count)
    assert reader.seek(-7, io.SEEK_END) == 993
    assert reader.read() == content[-7:]


@needs_zip
@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "clips.zip").unlink(), "clips.zip is missing"),
        (lambda folder: (folder / "clips.z03").unlink(), "last of 6 parts, of which 5 are here"),
        (lambda folder: os.truncate(folder / "clips.zip", 900), "not a complete zip archive"),
        (lambda folder: os.truncate(folder / "clips.z02", 900), "overlaps the next one"),
    ],
)
def test_an_incomplete_archive_is_one_sentence(split, damage, sentence):
    damage(split)
    with pytest.raises(LeanError, match=sentence):
        open_archive(split / "clips.zip")


@pytest.mark.parametrize("name", ["../../x", "/x", "clips/../../x", "..\\x"])
def test_an_entry_that_would_leave_its_folder_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as archive:
        archive.writestr("clips/1.wav", b"1")
        archive.writestr(name, b"2")
    with pytest.raises(LeanError, match="would leave its folder"):
        open_archive(tmp_path / "clips.zip")
    assert list(tmp_path.iterdir()) == [tmp_path / "clips.zip"]


def test_an_entry_that_unpacks_to_gigabytes_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as archive:
        archive.writestr("clips/1.wav", bytes(1000))
        entry = archive.infolist()[0]
        entry.file_size = 2**31
    with pytest.raises(LeanError, match=r"clips/1\.wav' unpacks to 2147483648 bytes"):
        open_archive(tmp_path / "clips.zip")


def test_entries_that_share_their_bytes_are_refused(tmp_path):
    path = tmp_path / "clips.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in "ab":
            archive.writestr(f"clips/{name}", os.urandom(1000))
        archive.infolist()[1].header_offset = 0
    with pytest.raises(LeanError, match="overlaps the next one"):
        open_archive(path)


def test_an_entry_never_fills_more_memory_than_it_states(tmp_path):
    """50 MB of zeros that claim to be ten bytes long."""
    path = tmp_path / "clips.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("clips/1.wav", bytes(50_000_000))

    def lie(content):
        directory = content.rfind(b"PK\x01\x02")
        struct.pack_into("<L", content, directory + 24, 10)

    tamper(path, lie)
    entry = ArchiveRoot(tmp_path) / "clips" / "1.wav"
    tracemalloc.start()
    with pytest.raises(BadClipError, match="damaged in its archive"):
        read_clip(entry, "HQ")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000


def test_an_archive_of_a_kind_that_nobody_reads_is_one_sentence(tmp_path):
    path = tmp_path / "clips.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("clips/1.wav", b"1")
    tamper(
        path, lambda content: struct.pack_into("<H", content, content.rfind(b"PK\x01\x02") + 6, 99)
    )
    with pytest.raises(LeanError, match=r"clips\.zip cannot be read: zip file version 9.9"):
        open_archive(path)


def test_a_part_that_vanishes_is_one_sentence(sounds, tmp_path):
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as archive:
        archive.write(sounds / "clips" / "1.wav", "clips/1.wav")
    entry = ArchiveRoot(tmp_path) / "clips" / "1.wav"
    (tmp_path / "clips.zip").unlink()
    with pytest.raises(LeanError, match=r"clips\.zip cannot be read: .*No such file"):
        read_clip(entry, "HQ")


@needs_zip
def test_a_damaged_entry_is_a_bad_clip_and_its_neighbours_are_good(split, sounds):
    whole = shutil.copytree(split, split.with_name("whole"))
    entries = open_archive(whole / "clips.zip").infolist()
    hurt = next(e for e in entries if e.filename.endswith(".wav") and e.volume == 2)
    start = sum((split / f"clips.z0{number}").stat().st_size for number in (1, 2))
    tamper(
        split / "clips.z03",
        lambda content: content.__setitem__(
            hurt.header_offset - start + hurt.compress_size // 2, 7
        ),
    )
    bad = 0
    for path in (sounds / "clips").iterdir():
        try:
            samples = read_clip(ArchiveRoot(split) / "clips" / path.name, "HQ")
            np.testing.assert_array_equal(samples, read_clip(path, "HQ"))
        except BadClipError as error:
            bad += 1
            assert f"clips/{path.name}" == hurt.filename
            assert str(error).startswith("damaged in its archive: ")
    assert bad == 1
