"""Shards spread over processes, and folders that a cut-short run leaves to the next."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from helpers import ROOT

from lean_audio.errors import BadInputError, LeanError
from lean_audio.files import FINISHED, atomic_file, resumable_folder, write_text
from lean_audio.parallel import shards
from lean_audio.parallel.shards import ATTEMPTS, LOCAL, content_key, keep, map_shards

LIMIT_S = 60


def double(number: int, log: Path) -> int:
    """Leaves a trace of every call."""
    with log.open("a") as file:
        file.write(f"{number}\n")
    return 2 * number


def refuse_three(number: int) -> int:
    if number == 3:
        raise LeanError("three is not allowed")
    return number


def die_of_three(number: int, log: Path, times: int) -> int:
    """Kills its process the first few times, once all other shards are finished."""
    if number != 3:
        return number
    wait_until(lambda: len(finished(log.parent)) == 5)
    with log.open("a") as file:
        file.write("died\n")
    if len(log.read_text().split()) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def sleep_and_tell(number: int, folder: Path) -> int:
    (folder / str(os.getpid())).touch()
    time.sleep(10 * LIMIT_S)
    return number


def finished(folder: Path) -> set[str]:
    return {path.name for path in folder.glob(f".out.*.partial/{FINISHED}/*.json")}


def wait_until(reached) -> None:
    until = time.monotonic() + LIMIT_S
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.05)


def spread(function, jobs, folder, *, workers=2, scheduler=LOCAL, key="a1"):
    with resumable_folder(folder, key) as temporary:
        settings = {"workers": workers, "scheduler": scheduler, "title": "count"}
        return list(map_shards(function, jobs, temporary, **settings))


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
    assert "00000.json" in finished(tmp_path)


def test_a_shard_whose_worker_dies_is_done_by_another(tmp_path, capfd):
    work = partial(die_of_three, log=tmp_path / "log", times=ATTEMPTS - 1)
    assert spread(work, range(6), tmp_path / "out") == [0, 1, 2, 3, 4, 5]
    assert (tmp_path / "log").read_text().split() == ["died"] * ATTEMPTS
    assert "Traceback" not in "".join(capfd.readouterr())
    assert partials(tmp_path) == []


def test_a_shard_that_always_kills_its_worker_ends_the_run_and_the_others_are_kept(tmp_path, capfd):
    work = partial(die_of_three, log=tmp_path / "log", times=1000)
    with pytest.raises(LeanError, match=rf"^count: worker processes died {ATTEMPTS} times.* kept$"):
        spread(work, range(6), tmp_path / "out")
    assert "Traceback" not in "".join(capfd.readouterr())
    assert finished(tmp_path) == {f"0000{number}.json" for number in (0, 1, 2, 4, 5)}
    log = tmp_path / "again"
    assert spread(partial(double, log=log), range(6), tmp_path / "out") == [0, 1, 2, 6, 4, 5]
    assert log.read_text().split() == ["3"]


def test_workers_end_when_the_run_is_killed(tmp_path):
    script = (
        "import sys; from functools import partial; from pathlib import Path;"
        "from test_map_shards import sleep_and_tell, spread;"
        "folder = Path(sys.argv[1]);"
        "spread(partial(sleep_and_tell, folder=folder / 'pids'), range(4), folder / 'out')"
    )
    pids = tmp_path / "pids"
    pids.mkdir()
    search = os.pathsep.join(map(str, (ROOT, ROOT / "tests", ROOT / "tests" / "unit")))
    run = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], env=os.environ | {"PYTHONPATH": search}
    )
    try:
        wait_until(lambda: len(list(pids.iterdir())) == 2)
    finally:
        run.kill()
        run.wait()
    wait_until(lambda: not any(alive(int(path.name)) for path in pids.iterdir()))


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_finished_shards_are_not_done_again(tmp_path):
    log = tmp_path / "log"
    with pytest.raises(LeanError), resumable_folder(tmp_path / "out", "a1") as temporary:
        work = partial(double, log=log)
        list(map_shards(work, [1, 2], temporary, workers=1, scheduler=LOCAL, title="count"))
        raise LeanError("cut short")
    assert spread(partial(double, log=log), [1, 2, 3, 4], tmp_path / "out") == [2, 4, 6, 8]
    assert sorted(log.read_text().split()) == ["1", "2", "3", "4"]


def test_a_scheduler_that_is_not_there_ends_the_run_in_bounded_time(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "CONNECT_S", 1)
    start = time.monotonic()
    with pytest.raises(LeanError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9 within 1"):
        spread(refuse_three, [1], tmp_path / "out", scheduler="tcp://127.0.0.1:9")
    assert time.monotonic() - start < 10


def test_a_run_cut_short_is_taken_up_by_one_of_the_same_key_alone(tmp_path):
    def cut_short(key: str) -> set[str]:
        with pytest.raises(LeanError), resumable_folder(tmp_path / "out", key) as temporary:
            found = {path.name for path in temporary.iterdir()} - {FINISHED}
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
    gone = tmp_path / ".out.a1.partial" / FINISHED / "00000.json"
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
    with pytest.raises(LeanError, match=message), atomic_file(disk / "big") as temporary:
        temporary.write_bytes(bytes(4_000_000))
    assert list(disk.iterdir()) == []
