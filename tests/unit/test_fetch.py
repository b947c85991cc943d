"""Downloads from a real server with faults: complete and verified, or one sentence."""

import os
import subprocess
import sys
import time

import pytest
from fsd50k import serve, write_manifest
from helpers import ROOT

from lean_audio.config.params import load_source
from lean_audio.datasets.download import BLOCK_BYTES, Downloader
from lean_audio.datasets.fsd50k import check_space
from lean_audio.datasets.manifest import missing_bytes, read_manifest
from lean_audio.errors import LeanError


@pytest.fixture
def served(tmp_path):
    """Three files on a server, and their manifest."""
    source = tmp_path / "source"
    source.mkdir()
    for number in range(3):
        (source / f"part{number}").write_bytes(os.urandom(3_000_000 + number))
    write_manifest(source, tmp_path / "manifest.yaml", {"train": 1}, classes=1)
    with serve(source) as server:
        yield server


@pytest.fixture
def files(served, tmp_path):
    return read_manifest(tmp_path / "manifest.yaml").files


def downloader(server, folder, **changes):
    settings = {"connections": 2, "attempts": 2, "read_timeout_s": 5, **changes}
    return Downloader(server.url, folder, **settings)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check_whole(server, folder):
    assert contents(folder) == contents(server.folder)


def test_what_is_there_and_verified_is_never_fetched_again(served, files, tmp_path):
    assert missing_bytes(files, tmp_path / "raw") == 9_000_003
    downloader(served, tmp_path / "raw").download(files)
    check_whole(served, tmp_path / "raw")
    assert len(served.asked) == 3
    downloader(served, tmp_path / "raw").download(files)
    assert len(served.asked) == 3
    assert missing_bytes(files, tmp_path / "raw") == 0


@pytest.mark.parametrize(
    ("faults", "starts"),
    [
        (["cut"], [0, 1_500_000]),
        (["cut", "cut", "cut"], [0, 1_500_000, 2_250_000, 2_625_000]),
        ([503], [0, 0]),
        (["cut", 503], [0, 1_500_000, 1_500_000]),
        (["cut", "whole"], [0, 1_500_000]),
        (["cut", "shift"], [0, 1_500_000, 1_500_000]),
        (["stall"], [0, 1_500_000]),
    ],
)
def test_a_server_that_falters_is_asked_for_the_rest(served, files, tmp_path, faults, starts):
    served.faults["part0"] = list(faults)
    downloader(served, tmp_path / "raw", read_timeout_s=2).download(files)
    served.go_on.set()
    check_whole(served, tmp_path / "raw")
    assert starts_asked(served, "part0") == pytest.approx(starts, abs=3 * BLOCK_BYTES)


def starts_asked(server, name):
    spans = [span for asked, span in server.asked if asked == name]
    return [int(span.removeprefix("bytes=").rstrip("-")) if span else 0 for span in spans]


def test_a_wrong_file_is_set_aside_and_fetched_again_once(served, files, tmp_path):
    served.faults["part1"] = ["flip"]
    downloader(served, tmp_path / "raw").download(files)
    check_whole(served, tmp_path / "raw")
    assert [name for name, _ in served.asked].count("part1") == 2


def test_a_file_wrong_twice_is_one_sentence_and_kept_aside(served, files, tmp_path):
    served.faults["part1"] = ["flip", "flip"]
    with pytest.raises(LeanError, match=rf"files/part1.*MD5.*{files[1].md5}.*part1\.bad"):
        downloader(served, tmp_path / "raw").download(files)
    assert (tmp_path / "raw" / "part1.bad").stat().st_size == files[1].bytes
    assert not (tmp_path / "raw" / "part1").exists()
    downloader(served, tmp_path / "raw").download(files)
    check_whole(served, tmp_path / "raw")


@pytest.mark.parametrize(
    ("faults", "sentence"),
    [
        ([404], "part2.*404 Not Found; is the address right"),
        ([503, 503], "part2.*503.*2 times in a row.*the next run resumes there"),
        (["cut", "third", "third"], "part2.*ended early .2 times in a row"),
        (["cut", "shift", "shift"], "part2.*another range than asked for .*2 times in a row"),
        ([416], "part2.*416.*its file is shorter than the manifest says"),
    ],
)
def test_a_server_that_stays_bad_is_one_sentence(served, files, tmp_path, faults, sentence):
    served.faults["part2"] = list(faults)
    with pytest.raises(LeanError, match=sentence):
        downloader(served, tmp_path / "raw").download(files)
    downloader(served, tmp_path / "raw").download(files)
    check_whole(served, tmp_path / "raw")


def test_a_server_that_asks_for_a_pause_gets_it(served, files, tmp_path):
    served.faults["part0"] = ["later"]
    start = time.monotonic()
    downloader(served, tmp_path / "raw").download(files)
    assert time.monotonic() - start >= 2  # what Retry-After said
    check_whole(served, tmp_path / "raw")


def test_a_silent_server_is_named_as_such(served, files, tmp_path):
    served.faults["part0"] = [lambda: served.go_on.wait(100)] * 2
    with pytest.raises(LeanError, match=r"part0.*read timed out \(2 times in a row"):
        downloader(served, tmp_path / "raw", read_timeout_s=0.3).download(files[:1])
    served.go_on.set()


def test_one_failure_stops_the_downloads_that_wait(served, files, tmp_path):
    """Though the server of another file is silent, and would be waited for much longer."""
    served.faults |= {"part0": ["stall"], "part1": [404]}
    script = (
        "import sys; from pathlib import Path; from lean_audio.datasets.download import Downloader;"
        "from lean_audio.datasets.manifest import read_manifest;"
        "files = read_manifest(Path(sys.argv[3])).files;"
        "Downloader(sys.argv[1], Path(sys.argv[2]), 2, 2, 300.0).download(files)"
    )
    arguments = (served.url, str(tmp_path / "raw"), str(tmp_path / "manifest.yaml"))
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, timeout=100)  # well below 300 s
    assert b"part1?download=1: the server answers 404" in done.stderr
    assert not served.go_on.is_set()
    served.go_on.set()


@pytest.mark.parametrize("url", ["zenodo.org/files", "gopher://127.0.0.1/files"])
def test_an_address_that_is_none_is_one_sentence(served, files, tmp_path, url):
    strange = downloader(served, tmp_path / "raw")
    strange.base_url = url
    with pytest.raises(LeanError, match=f"{url}/part. *.download=1 cannot be fetched: "):
        strange.download(files)


def test_a_file_that_went_bad_here_is_not_counted_against_the_server(served, files, tmp_path):
    downloader(served, tmp_path / "raw").download(files)
    content = bytearray((tmp_path / "raw" / "part0").read_bytes())
    content[7] ^= 1
    (tmp_path / "raw" / "part0").write_bytes(content)
    served.faults["part0"] = ["flip"]
    downloader(served, tmp_path / "raw").download(files)
    check_whole(served, tmp_path / "raw")


def test_what_a_download_left_is_gone_once_the_file_is_there(served, files, tmp_path):
    downloader(served, tmp_path / "raw").download(files)
    for leftover in ("part0.bad", "part1.part"):
        (tmp_path / "raw" / leftover).write_bytes(b"x")
    downloader(served, tmp_path / "raw").download(files)
    check_whole(served, tmp_path / "raw")


def test_a_server_that_is_not_there_is_one_sentence(served, files, tmp_path):
    gone = downloader(served, tmp_path / "raw")
    gone.base_url = "http://127.0.0.1:9/files"
    with pytest.raises(LeanError, match=r"files/part.*cannot be reached .*2 times in a row"):
        gone.download(files)


@pytest.mark.parametrize("bytes_left", [0, 1, 1_000_000])
def test_a_cut_file_is_completed_and_a_changed_one_replaced(served, files, tmp_path, bytes_left):
    raw = tmp_path / "raw"
    downloader(served, raw).download(files)
    with (raw / "part0").open("r+b") as file:
        file.truncate(bytes_left)
    content = bytearray((raw / "part1").read_bytes())
    content[5] ^= 1
    (raw / "part1").write_bytes(content)
    (raw / "part2").unlink()
    downloader(served, raw).download(files)
    check_whole(served, raw)
    expected = f"bytes={bytes_left}-" if bytes_left else None
    assert sorted(served.asked[3:]) == [("part0", expected), ("part1", None), ("part2", None)]


def test_too_small_a_disk_is_said_before_the_first_byte(tmp_path):
    with pytest.raises(LeanError, match=r"raw: FSD50K need 1e\+09 GB, and \d.* GB are free"):
        check_space(tmp_path / "not" / "yet" / "raw", 10**18, "FSD50K")


def test_a_disk_that_fills_up_loses_nothing(served, files, tmp_path, small_disk):
    disk, resize = small_disk
    resize("12m")
    other = disk / "other"
    served.faults["part1"] = [lambda: other.write_bytes(bytes(8_000_000))]
    with pytest.raises(LeanError, match="raw: the disk is full; what arrived is kept"):
        downloader(served, disk / "raw").download(files)
    other.unlink()
    downloader(served, disk / "raw").download(files)
    check_whole(served, disk / "raw")


ONE = "files: [{name: a, bytes: 3, md5: b}]\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file,bytes,md5\na,3,b\n", "Input should be a valid dictionary"),
        (f"clips: {{train: 1}}\n{ONE}", "classes Field required"),
        (f"clips: {{train: no}}\nclasses: 2\n{ONE}", "clips.train Input should be a valid integer"),
        (f"clips: {{}}\nclasses: 2\n{ONE}name: c\n", "name Extra inputs are not permitted"),
        ("clips: {}\nclasses: 2\nfiles: [{name: a, bytes: 0, md5: b}]\n", "greater than 0"),
        ("clips: {", "while parsing a flow node"),
    ],
)
def test_a_manifest_that_is_none_is_one_sentence(tmp_path, text, reason):
    path = tmp_path / "manifest.yaml"
    path.write_text(text)
    with pytest.raises(LeanError) as error:
        read_manifest(path)
    message = str(error.value)
    assert "manifest.yaml is not a manifest of clips, classes and files: " in message
    assert reason in message and "\n" not in message


def test_a_manifest_that_is_missing_is_one_sentence(tmp_path):
    with pytest.raises(LeanError, match=r"none\.yaml cannot be read as a manifest: No such file"):
        read_manifest(tmp_path / "none.yaml")


def test_the_published_manifest_has_eleven_files_and_the_papers_counts():
    published = read_manifest(ROOT / load_source("fsd50k", ROOT).manifest)
    assert len(published.files) == 11
    assert sum(file.bytes for file in published.files) == 24_678_734_449
    assert all(len(file.md5) == 32 for file in published.files)
    assert published.clips["train"] + published.clips["val"] == 40_966
    assert sum(published.clips.values()) == 51_197
    assert published.classes == 200
