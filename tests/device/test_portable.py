"""The command line where the system is not POSIX, or has no LiteRT: only what every Python has."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

# What Windows or macOS lack is taken away before any of ours is imported
BARE = """
import os, signal, sys
import matplotlib.figure, numpy, soundfile, soxr  # these know the system that they are on
for name in (
    "sched_getaffinity", "sched_setaffinity", "fork", "forkpty", "register_at_fork", "wait4",
    "waitid", "WNOHANG", "killpg", "setsid", "getuid", "geteuid", "getgid", "getppid", "getpgid",
    "mkfifo", "mknod", "pread", "preadv", "pwrite", "posix_fadvise", "posix_spawn", "sendfile",
    "statvfs", "fstatvfs", "sysconf", "uname", "getloadavg", "chown", "lchown", "chroot", "nice",
    "O_NONBLOCK", "O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "memfd_create", "copy_file_range",
    "splice", "eventfd", "times_result", "fchmod", "ttyname", "ctermid", "openpty", "login_tty",
):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGPIPE", "SIGKILL", "SIGHUP", "SIGUSR1", "SIGALRM", "alarm", "setitimer", "pause"):
    if hasattr(signal, name):
        delattr(signal, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline"):
    sys.modules[name] = None
"""
RUN = "from lean_audio.cli.main import main; sys.exit(main(sys.argv[1:]))"


def run(program: str, *arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", BARE + program, *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=120)


@pytest.mark.parametrize("format_", ["table", "json", "csv"])
def test_files_and_streams_are_tagged_without_posix(shipped, tmp_path, format_):
    sound = np.random.default_rng(0).normal(0, 0.1, (44_100, 2))
    for suffix in ("wav", "flac", "mp3", "ogg"):
        soundfile.write(tmp_path / f"x.{suffix}", sound, 44_100)
    settings = ("--model", shipped, "--format", format_)
    done = run(RUN, "predict", tmp_path, tmp_path / "gone.wav", *settings, "--plot", tmp_path)
    assert done.returncode == 1
    assert done.stderr.decode() == f"error: {tmp_path / 'gone.wav'}: no such file\n"
    assert len(list(tmp_path.glob("*.png"))) == 4
    content = (tmp_path / "x.flac").read_bytes()
    from_file = run(RUN, "predict", "-", *settings, stdin=content)
    raw = run(RUN, "predict", "-", "--rate", 16_000, *settings, stdin=bytes(64_000))
    for done in (from_file, raw, run(RUN, "info", shipped), run(RUN, "--version")):
        assert (done.returncode, done.stderr) == (0, b"")
    if format_ == "json":
        assert json.loads(from_file.stdout)["end_s"] == 1.0


def test_no_runtime_is_one_sentence(shipped):
    program = "sys.modules['ai_edge_litert'] = None\n" + RUN
    for command in (("info", shipped), ("predict", "x.wav", "--model", shipped)):
        done = run(program, *command)
        assert done.returncode == 2
        complaint = done.stderr.decode()
        assert complaint.startswith("error: the LiteRT runtime (pip install ai-edge-litert) cannot")
        assert complaint.count("\n") == 1
        assert f"Python {sys.version.split()[0]}" in complaint
    assert run(program, "--version").returncode == 0


def test_a_closed_standard_error_does_no_harm(shipped, sound):
    program = RUN.replace("sys.exit", "os.close(2); sys.stderr = None; sys.exit")
    done = run(program, "predict", sound, "--model", shipped)
    assert done.returncode == 0
    assert b"noise.wav" in done.stdout


# Processes of one's own need some of that on POSIX, where Python itself uses it
FORKLESS = BARE.replace('"sysconf", ', "").replace('"waitid", "WNOHANG", ', "")


def test_several_processes_need_no_fork(shipped, tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for number in range(6):
        noise = np.random.default_rng(number).normal(0, 0.1, 16_000)
        soundfile.write(sounds / f"{number}.wav", noise, 16_000)
    written = []
    for jobs in (1, 2):
        settings = ("--format", "csv", "--jobs", jobs, "--output", tmp_path / f"{jobs}.csv")
        command = [sys.executable, "-c", FORKLESS + RUN, "events", sounds, "--model", shipped]
        done = subprocess.run([*map(str, (*command, *settings))], capture_output=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, b"")
        written.append((tmp_path / f"{jobs}.csv").read_bytes())
    assert written[0] == written[1]
