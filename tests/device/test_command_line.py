"""The command line on a finished file: formats, streams, pictures, and how its process ends."""

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from command_line import lean_audio

PROGRAM = (sys.executable, "-m", "lean_audio.cli")


def start(*arguments: object, **streams) -> subprocess.Popen[bytes]:
    """Start the command in a process of its own, whose output is buffered."""
    environment = {name: os.environ[name] for name in os.environ if name != "PYTHONUNBUFFERED"}
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **streams)


def test_stream_and_file_agree(capsysbinary, shipped, sound):
    settings = ("--model", shipped, "--top", "all", "--format", "csv", "--timeline")
    from_file = lean_audio(capsysbinary, "predict", sound, *settings).rows
    pcm = soundfile.read(sound, dtype="int16")[0].tobytes()
    arguments = ("predict", "-", "--rate", 16_000, *settings)
    stream = lean_audio(capsysbinary, *arguments, stdin=pcm).rows
    keys = ("start_s", "end_s", "label", "score")
    assert [[r[k] for k in keys] for r in stream] == [[r[k] for k in keys] for r in from_file]
    assert {row["file"] for row in stream} == {"-"}
    assert len({row["start_s"] for row in stream}) == 4  # 2.5 s at a hop of 0.5 s


def test_formats_thresholds_and_short_sounds(capsysbinary, shipped, tmp_path):
    soundfile.write(tmp_path / "short.flac", np.full(800, 0.1), 8000)

    def predict(*settings: object):
        return lean_audio(capsysbinary, "predict", tmp_path, "--model", shipped, *settings)

    content = json.loads(predict("--format", "json").stdout)
    assert (content["start_s"], content["end_s"], len(content["labels"])) == (0.0, 0.1, 5)
    scores = [label["score"] for label in content["labels"]]
    assert scores == sorted(scores, reverse=True)
    every = json.loads(predict("--format", "json", "--top", "all").stdout)["labels"]
    least = every[len(every) // 2]["score"]
    some = json.loads(predict("--format", "json", "--threshold", least).stdout)["labels"]
    assert some == [label for label in every if label["score"] >= least]
    assert 0 < len(some) < len(every)
    auto = predict("--threshold", "auto", "--top", 1).text
    assert "short.flac  (0.10 s)" in auto


def test_plot_writes_a_picture(capsysbinary, shipped, sound, tmp_path):
    picture = tmp_path / "out.png"
    lean_audio(capsysbinary, "predict", sound, "--model", shipped, "--plot", picture)
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 10_000


def test_pictures_have_their_own_names(capsysbinary, shipped, sound, tmp_path):
    odd, copy, pictures = (
        tmp_path / name for name in ("p_$5_and_$6.wav", "copy/noise.wav", "pictures")
    )
    copy.parent.mkdir()
    for path in (odd, copy):
        shutil.copy(sound, path)
    settings = ("--model", shipped, "--plot", pictures)
    lean_audio(capsysbinary, "predict", odd, sound, *settings)
    written = {path.name for path in pictures.iterdir()}
    assert written == {"p_$5_and_$6.wav.png", "noise.wav.png"}
    done = lean_audio(capsysbinary, "predict", sound, copy, *settings, code=2)
    assert "same name" in done.complaint


def test_a_name_that_is_not_utf8_is_tagged_and_printed(capsysbinary, shipped, sound, tmp_path):
    (tmp_path / "names").mkdir()
    shutil.copy(sound, tmp_path / "names" / os.fsdecode(b"b\xff.wav"))
    done = lean_audio(capsysbinary, "predict", tmp_path / "names", "--model", shipped)
    assert b"b\xff.wav" in done.stdout


def test_info_shows_what_is_inside(capsysbinary, shipped):
    text = lean_audio(capsysbinary, "info", shipped).text
    for part in ("scheme: float32", "dataset: noise", "synthetic: True", "hop_s: 0.5", "licence:"):
        assert part in text
    assert "labels (7)" in text


def test_the_only_model_here_is_found(capsysbinary, shipped, sound, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEAN_AUDIO_MODEL", raising=False)
    assert "no models/*/lean.tflite" in lean_audio(capsysbinary, "info", code=2).complaint
    for name in ("demo", "sounds"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        shutil.copy(shipped, folder / "lean.tflite")
        if name == "demo":
            assert "noise.wav" in lean_audio(capsysbinary, "predict", sound).text
    done = lean_audio(capsysbinary, "predict", sound, code=2)
    assert "several (models/demo/lean.tflite, models/sounds/lean.tflite)" in done.complaint
    monkeypatch.setenv("LEAN_AUDIO_MODEL", "models/demo/lean.tflite")
    assert "noise.wav" in lean_audio(capsysbinary, "predict", sound).text


def heed_ctrl_c() -> None:
    """Undo what a shell does to jobs that it runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_chunk_is_printed_while_the_stream_is_open_and_ctrl_c_ends_it(shipped):
    process = start(
        *("predict", "-", "--rate", 16_000, "--model", shipped, "--timeline"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=heed_ctrl_c,
    )
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write(np.zeros(16_000, "<i2").tobytes())
    process.stdin.flush()
    assert b"0.00 -     1.00 s" in process.stdout.readline()  # and nothing has been closed
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert process.stderr.read() == b""
    process.communicate()


@pytest.mark.parametrize("command", ["info", "predict"])
def test_a_reader_that_leaves_early_is_no_error(shipped, sound, command):
    files = {"info": (shipped,), "predict": (sound, "--model", shipped, "--timeline")}[command]
    reader, writer = os.pipe()
    os.close(reader)
    process = start(command, *files, stdout=writer)
    os.close(writer)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")  # noqa: PTH110
def test_output_that_cannot_be_written_is_one_sentence(shipped):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        process = start("info", shipped, stdout=full)
        assert process.communicate(timeout=60)[1] == b"error: No space left on device\n"
    assert process.returncode == 2


def test_starting_up_imports_no_tensorflow_and_no_keras():
    code = "import lean_audio.cli.main, lean_audio.cli.plot, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    modules = {name.split(".")[0] for name in done.stdout.split()}
    assert "ai_edge_litert" in modules
    assert not modules & {"tensorflow", "keras", "pandas", "sklearn", "matplotlib", "librosa"}
