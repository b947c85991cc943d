"""Many sounds: several processes, files of results, runs that are killed and resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from annotation_readers import read_raven
from command_line import Done, lean_audio

from lean_audio.cli.progress import Progress, progress_line

SOUNDS = 60
PROGRAM = (sys.executable, "-m", "lean_audio.cli")
FORMATS = ("csv", "json", "raven", "table")
KINDS = {"predict": ("--timeline",), "events": ("--threshold", 0.5, "--max-gap", 0.5)}
Run = Callable[..., Done]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    """Noise of 0.3 to 2 s, in folders; one file is damaged."""
    root = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for number in range(SOUNDS):
        folder = root / f"recorder {number % 3}"
        folder.mkdir(exist_ok=True)
        samples = rng.normal(0, 0.1, rng.integers(5_000, 32_000))
        soundfile.write(folder / f"{number:03d}.wav", samples.clip(-1, 1), 16_000)
    (root / "recorder 1" / "007 damaged.wav").write_bytes(b"RIFF no sound")
    return root


@pytest.fixture
def run(capsysbinary, shipped) -> Run:
    def run_one(*arguments: object, **settings) -> Done:
        return lean_audio(capsysbinary, *arguments, "--model", shipped, **settings)

    return run_one


def as_command(arguments: Sequence[object], model: Path) -> list[str]:
    return [*PROGRAM, *map(str, arguments), "--model", str(model)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format_", FORMATS)
def test_results_are_the_same_wherever_they_go(run, sounds, tmp_path, kind, format_):
    command = (kind, sounds, *KINDS[kind], "--format", format_)
    printed = run(*command, code=1).stdout
    outputs = [(tmp_path / "one.txt", 1), (tmp_path / "three.txt", 3)]
    for output, jobs in outputs:
        done = run(*command, "--output", output, "--jobs", jobs, code=1)
        assert done.stdout == b""
        assert output.read_bytes() == printed
        assert done.complaint.count("007 damaged.wav: unreadable") == 1
    assert run(*command, "--jobs", 2, code=1).stdout == printed
    if format_ == "raven":
        rows = read_raven(printed)
        files = list(dict.fromkeys(row["Begin Path"] for row in rows))
        assert files == sorted(files) and len(files) > 30


def test_a_run_that_is_resumed_when_it_is_done_does_nothing(run, sounds, tmp_path):
    command = ("predict", sounds, "--format", "csv", "--output", tmp_path / "x.csv")
    run(*command, code=1)
    content, stamp = (tmp_path / "x.csv").read_bytes(), time.time_ns()
    done = run(*command, "--resume", code=1)  # only the damaged file is tried again
    assert (tmp_path / "x.csv").read_bytes() == content
    assert done.complaint.count("error: ") == 1
    run(*command, "--resume", "--skip-errors", "--jobs", 2)
    assert (tmp_path / "x.csv").read_bytes() == content
    new = sounds / "recorder 0" / "zzz.wav"
    soundfile.write(new, np.random.default_rng(9).normal(0, 0.1, 16_000), 16_000)
    try:
        run(*command, "--resume", "--skip-errors")
        added = (tmp_path / "x.csv").read_bytes().removeprefix(content).decode()
        assert added.count("zzz.wav") == added.count("\n") == 5
    finally:
        new.unlink()
    assert stamp


def kill_when(process: subprocess.Popen[bytes], journal: Path, lines: int) -> None:
    """Kill a run -9 once it has done so much."""
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        if journal.exists() and journal.read_bytes().count(b"\n") > lines:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(("kind", "format_"), [("predict", "csv"), ("events", "raven")])
def test_a_run_that_is_killed_again_and_again_ends_like_one_that_is_not(
    run, shipped, sounds, tmp_path, kind, format_, jobs
):
    command = (kind, sounds, *KINDS[kind], "--format", format_, "--jobs", jobs)
    whole = tmp_path / "whole.txt"
    run(*command, "--output", whole, code=1)
    killed = tmp_path / "killed.txt"
    journal = tmp_path / "killed.txt.progress"
    for lines in (1, 20, 45):
        going_on = ("--resume",) if journal.exists() else ()
        arguments = as_command((*command, "--output", killed, *going_on), shipped)
        process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
        kill_when(process, journal, lines)
        assert whole.read_bytes().startswith(killed.read_bytes())
    before = journal.read_bytes()
    done_before = {json.loads(line).get("file") for line in before.splitlines()} - {None}
    assert len(done_before) >= 20
    with killed.open("ab") as file:  # what the kill has left of the clip under way
        file.write(b"half a ro")
    with journal.open("ab") as file:
        file.write(b'{"file": "half')
    run(*command, "--output", killed, "--resume", code=1)
    assert killed.read_bytes() == whole.read_bytes()
    assert b'{"file": "half' not in journal.read_bytes()


def test_what_is_done_is_not_done_again(run, sounds, tmp_path):
    """Sounds that are done may even be gone."""
    files = sorted(sounds.rglob("0[1-3]*.wav"))[:12]
    copies = [tmp_path / file.name for file in files]
    for file, copy in zip(files, copies, strict=True):
        copy.write_bytes(file.read_bytes())
    output = tmp_path / "x.json"
    command = ("predict", *copies, "--format", "json", "--output", output)
    run(*command)
    whole, journal = output.read_bytes(), tmp_path / "x.json.progress"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:8]))  # settings and 7 sounds
    for copy in copies[:7]:
        copy.unlink()
    run(*command, "--resume")
    assert output.read_bytes() == whole


def test_results_that_are_early_are_not_lost(run, sounds, tmp_path):
    """With several processes a sound may be ready before its turn; it is kept in the journal."""
    files = sorted(sounds.rglob("*.wav"))[:6]
    copies = [tmp_path / file.name for file in files]
    for file, copy in zip(files, copies, strict=True):
        copy.write_bytes(file.read_bytes())
    output, journal = tmp_path / "x.csv", tmp_path / "x.csv.progress"
    command = ("predict", *copies, "--format", "csv", "--output", output, "--jobs", 2)
    run(*command)
    whole = output.read_bytes()
    rows = [row for row in whole.decode().splitlines(keepends=True) if copies[3].name in row]
    settings, *lines = journal.read_bytes().splitlines(keepends=True)
    first = [line for line in lines if b'"file"' in line[:8]][:1]
    early = {"file": str(copies[3]), "text": "".join(rows), "length_s": 1.0, "remarks": []}
    early_line = json.dumps({"early": early | {"fault": ""}}).encode() + b"\n"
    journal.write_bytes(settings + b"".join(first) + early_line)
    copies[3].unlink()
    run(*command, "--resume")
    assert output.read_bytes() == whole


def test_another_run_is_not_resumed(run, shipped, sounds, tmp_path):
    output, journal = tmp_path / "x.csv", tmp_path / "x.csv.progress"
    command = ("predict", sounds, "--format", "csv", "--output", output, "--skip-errors")
    run(*command)
    done = run(*command, "--resume", "--top", 3, "--threshold", 0.5, code=2)
    assert f"--resume: {output} was written with another top, threshold; leave" in done.complaint
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:9]))
    done = run(*command, code=2)
    assert f"{output} is unfinished: add --resume to go on with it, or delete" in done.complaint
    journal.unlink()
    done = run(*command, "--resume", code=2)
    assert f"what is done is not known, for {journal} is missing" in done.complaint
    before = output.read_bytes()
    run(*command)  # anew
    assert output.read_bytes() == before


@pytest.mark.parametrize("kind", ["clips", "timeline"])
def test_what_precedes_a_fault_is_written_once(run, sounds, tmp_path, kind):
    samples = np.random.default_rng(0).normal(0, 0.1, 400_000).clip(-1, 1)
    samples[350_000] = np.nan
    bad = tmp_path / "bad.wav"
    soundfile.write(bad, samples, 16_000, subtype="FLOAT")
    files = (bad, sounds / "recorder 0" / "000.wav")
    timeline = ("--timeline",) if kind == "timeline" else ()
    command = ("predict", *files, *timeline, "--format", "csv")
    printed = run(*command, code=1)
    assert (b"bad.wav" in printed.stdout) == (kind == "timeline")
    assert run(*command, "--jobs", 2, code=1).stdout == printed.stdout
    for _ in range(2):
        done = run(*command, "--output", tmp_path / "x.csv", "--resume", code=1)
        assert done.complaint == printed.complaint
        assert (tmp_path / "x.csv").read_bytes() == printed.stdout


def test_errors_can_be_skipped(run, sounds, tmp_path):
    done = run("predict", sounds, "--skip-errors", "--format", "csv")
    assert done.complaint.startswith("warning: 1 file skipped: ")
    assert "007 damaged.wav: unreadable" in done.complaint
    done = run("predict", sounds, tmp_path / "gone.wav", "--skip-errors", "--jobs", 2)
    assert "warning: 2 files skipped: " in done.complaint


def test_label_tracks_are_resumed_one_by_one(run, sounds, tmp_path):
    folder = tmp_path / "tracks"
    command = ("events", sounds, *KINDS["events"], "--format", "audacity", "--output", folder)
    run(*command, code=1)
    tracks = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.txt")}
    assert len(tracks) == SOUNDS
    assert "recorder 0/000.txt" in tracks
    before = {name: path.read_bytes() for name, path in tracks.items()}
    tracks["recorder 0/000.txt"].unlink()
    stamps = {name: path.stat().st_mtime_ns for name, path in tracks.items() if path.exists()}
    run(*command, "--resume", "--jobs", 2, code=1)
    assert {name: path.read_bytes() for name, path in tracks.items()} == before
    assert stamps == {name: tracks[name].stat().st_mtime_ns for name in stamps}
    alone = run(*command[:1], sounds / "recorder 0", *command[2:-1], tmp_path / "one.txt", code=2)
    assert "one.txt: there are 20 files; name a directory instead" in alone.complaint
    run(*command[:1], sounds / "recorder 0" / "000.wav", *command[2:-1], tmp_path / "one.txt")
    assert (tmp_path / "one.txt").read_bytes() == before["recorder 0/000.txt"]
    run(*command[:1], sounds / "recorder 0" / "000.wav", *command[2:-1], tmp_path / "other")
    assert (tmp_path / "other" / "000.txt").read_bytes() == before["recorder 0/000.txt"]
    same = (sounds / "recorder 0" / "000.wav", tmp_path / "recorder 0" / "000.flac")
    same[1].parent.mkdir()
    soundfile.write(same[1], np.zeros(16_000), 16_000)
    (tmp_path / "recorder 0" / "000.wav").write_bytes(same[0].read_bytes())
    done = run("events", same[1].parent, "--format", "audacity", "--output", folder, code=2)
    assert "would both be 000.txt" in done.complaint


def test_output_never_replaces_a_sound(run, sounds, tmp_path):
    sound = tmp_path / "x.wav"
    sound.write_bytes((sounds / "recorder 0" / "000.wav").read_bytes())
    before = sound.read_bytes()
    assert "is one of the sounds" in run("predict", sound, "--output", sound, code=2).complaint
    assert sound.read_bytes() == before
    done = run("predict", sound, "--output", tmp_path, code=2)
    assert f"--output {tmp_path}: cannot be written" in done.complaint


def test_output_never_replaces_the_model(capsysbinary, sounds, shipped, tmp_path):
    sound, model = sounds / "recorder 0" / "000.wav", tmp_path / "x.tflite"
    model.write_bytes(shipped.read_bytes())
    command = ("predict", sound, "--model", model, "--output", model)
    assert "this is the model" in lean_audio(capsysbinary, *command, code=2).complaint
    assert model.read_bytes() == shipped.read_bytes()


@pytest.mark.parametrize("output", [".", os.devnull])
def test_output_that_is_no_file_is_a_sentence(run, sounds, output):
    sound = sounds / "recorder 0" / "000.wav"
    done = run("predict", sound, "--format", "csv", "--output", output, code=2)
    assert f"--output {output}: cannot be written (not a regular file)" in done.complaint


def test_a_hop_that_is_not_allowed_leaves_results_as_they_are(run, sounds, tmp_path):
    results = tmp_path / "x.csv"
    results.write_text("kept")
    sound = sounds / "recorder 0" / "000.wav"
    command = ("predict", sound, "--format", "csv", "--output", results)
    for hop in (0, 5):
        assert "the hop is" in run(*command, "--hop", hop, code=2).complaint
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".wav"] == ["x.csv"]
    assert results.read_text() == "kept"


@pytest.mark.parametrize("setting", [("--jobs", 2), ("--output", "x"), ("--skip-errors",)])
def test_standard_input_is_no_collection(run, setting):
    assert "are for files" in run("predict", "-", "--rate", 16_000, *setting, code=2).complaint


DEADLY = """
import os, sys
from lean_audio.cli import collection
from lean_audio.cli.work import Work
class Deadly(Work):
    def file(self, file, *rest, **more):
        if "013" in file.name:
            os._exit(9)
        return super().file(file, *rest, **more)
collection.Work = Deadly
"""


def test_a_sound_that_kills_its_process_is_a_fault_like_others(run, shipped, sounds, tmp_path):
    """As a decoder that crashes would: each process imports what has replaced Work."""
    (tmp_path / "sitecustomize.py").write_text(DEADLY)
    whole = run("predict", sounds, "--format", "csv", code=1).text.splitlines()
    command = as_command(("predict", sounds, "--format", "csv", "--jobs", 2), shipped)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 1
    assert "013.wav: the process that scored it died\n" in done.stderr
    assert done.stdout.splitlines() == [row for row in whole if "013.wav" not in row]


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_no_process_is_left_when_the_first_one_is_killed(shipped, sounds, tmp_path):
    output = tmp_path / "x.csv"
    arguments = ("predict", *[sounds] * 30, "--hop", 0.05, "--jobs", 2, "--output", output)
    command = as_command((*arguments, "--format", "csv"), shipped)
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    kill_when(process, tmp_path / "x.csv.progress", 3)
    until = time.monotonic() + 30
    while time.monotonic() < until and group_lives(process.pid):
        time.sleep(0.1)
    assert not group_lives(process.pid)


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_line_on_the_terminal_has_rate_and_time_left(monkeypatch, capsys):
    assert progress_line(0, 2000, 0.0, 0.0) == "0 of 2,000 files, 0 x real time"
    assert progress_line(500, 2000, 4500.0, 90.0) == (
        "500 of 2,000 files, 50 x real time, 5.6 files/s, 0:04:30 left"
    )
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    progress = Progress(2, shown=True)
    progress.count(3.0)
    progress.complain("x.wav: no sound")
    line, erased, rest = capsys.readouterr().err.partition("\r ")
    assert line.startswith("\r1 of 2 files, ") and erased
    assert rest.endswith("\rerror: x.wav: no sound\n")


def test_nothing_moves_where_there_is_no_terminal(run, sounds, tmp_path):
    done = run("predict", sounds, "--output", tmp_path / "x.txt", "--skip-errors")
    assert "\r" not in done.complaint and "left" not in done.complaint
