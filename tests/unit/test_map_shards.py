"""Shards spread over processes, and folders that a cut-short run leaves to the next."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from lean_audio.errors import BadInputError, LeanError
from lean_audio.files import resumable_folder, whole, write_text
from lean_audio.parallel.shards import CONNECT_S, LOCAL, content_key, keep, map_shards


def double(number: int, log: Path) -> int:
    """Leaves a trace of every call."""
    with log.open("a") as file:
        file.write(f"{number}\n")
    return 2 * number


def refuse_three(number: int) -> int:
    if number == 3:
        raise LeanError("three is not allowed")
    return number


def die_of_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def spread(function, jobs, folder, *, workers=2, scheduler=LOCAL, key="a1"):
    with resumable_folder(folder, key) as temporary:
        return list(
            map_shards(
                function, jobs, temporary, workers=workers, scheduler=scheduler, title="count"
            )
        )


def partials(folder: Path) -> list[Path]:
    return list(folder.glob(".*.partial"))


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_shards(tmp_path, workers):
    work = partial(double, log=tmp_path / "log")
    assert spread(work, range(5), tmp_path / "out", workers=workers) == [0, 2, 4, 6, 8]
    assert [path.name for path in (tmp_path / "out").iterdir()] == []
    assert {path.name for path in tmp_path.iterdir()} == {"out", "log"}


def test_no_shards_are_no_results(tmp_path):
    assert spread(refuse_three, [], tmp_path / "out") == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_shard_comes_through_in_one_sentence(tmp_path, workers, capfd):
    with pytest.raises(LeanError, match=r"^three is not allowed$"):
        spread(refuse_three, range(6), tmp_path / "out", workers=workers)
    assert "Traceback" not in "".join(capfd.readouterr())
    (kept,) = partials(tmp_path)
    assert (kept / ".finished" / "00000.json").is_file()


def test_a_shard_that_kills_its_workers_is_named_and_the_others_are_kept(tmp_path, capfd):
    with pytest.raises(LeanError, match=r"count: shard 00003 killed its worker"):
        spread(die_of_three, range(6), tmp_path / "out")
    assert "Traceback" not in "".join(capfd.readouterr())
    (kept,) = partials(tmp_path)
    assert (kept / ".finished" / "00000.json").is_file()


def test_finished_shards_are_not_done_again(tmp_path):
    log = tmp_path / "log"
    with pytest.raises(LeanError), resumable_folder(tmp_path / "out", "a1") as temporary:
        work = partial(double, log=log)
        list(map_shards(work, [1, 2], temporary, workers=1, scheduler=LOCAL, title="count"))
        raise LeanError("cut short")
    assert spread(partial(double, log=log), [1, 2, 3, 4], tmp_path / "out") == [2, 4, 6, 8]
    assert sorted(log.read_text().split()) == ["1", "2", "3", "4"]


def test_a_scheduler_that_is_not_there_ends_the_run_in_bounded_time(tmp_path):
    start = time.monotonic()
    with pytest.raises(LeanError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9 "):
        spread(refuse_three, [1], tmp_path / "out", scheduler="tcp://127.0.0.1:9")
    assert time.monotonic() - start < 2 * CONNECT_S


def test_a_run_cut_short_is_taken_up_by_one_of_the_same_key_alone(tmp_path):
    def cut_short(key: str) -> set[str]:
        with pytest.raises(LeanError), resumable_folder(tmp_path / "out", key) as temporary:
            found = {path.name for path in temporary.iterdir()} - {".finished"}
            write_text(temporary / f"from-{key}", "")
            raise LeanError("cut short")
        return found

    assert cut_short("a1") == set()
    assert cut_short("a1") == {"from-a1"}
    assert cut_short("b2") == set()
    assert len(partials(tmp_path)) == 1


def test_bad_input_leaves_nothing_and_the_folder_before_it_stays(tmp_path):
    write_text(tmp_path / "out" / "old", "")
    with pytest.raises(BadInputError), resumable_folder(tmp_path / "out", "a1") as temporary:
        write_text(temporary / "new", "")
        raise BadInputError("no clips")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "old"]


def test_a_worker_left_over_from_a_lost_run_calls_nothing_finished(tmp_path):
    gone = tmp_path / ".out.a1.partial" / ".finished" / "00000.json"
    with pytest.raises(FileNotFoundError):
        keep(refuse_three, 1, gone)
    assert list(tmp_path.iterdir()) == []


def test_what_killed_workers_left_is_not_in_the_finished_folder(tmp_path):
    with resumable_folder(tmp_path / "out", "a1") as temporary:
        (temporary / ".123-abcd.tmp.shard").touch()
        write_text(temporary / "shard", "")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "shard"]


def test_the_key_follows_the_inputs():
    assert content_key(clips=[["a", "1"]], rate=2) == content_key(rate=2, clips=[["a", "1"]])
    assert content_key(clips=[["a", "1"]]) != content_key(clips=[["a", "2"]])


def test_a_full_disk_is_explained(small_disk):
    disk, _ = small_disk
    message = "big cannot be written, the disk is full: make space"
    with pytest.raises(LeanError, match=message), whole(disk / "big") as temporary:
        temporary.write_bytes(bytes(4_000_000))
    assert list(disk.iterdir()) == []
