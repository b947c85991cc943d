"""`lean-audio` on what people give it: each fault is one file's, and the rest are tagged."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import lean_audio
from device_models import LABELS

from lean_audio.audio.decode import read_clip
from lean_audio.errors import LeanError
from lean_audio.tagger import Tagger, clip_scores, summarize
from lean_audio.tflite.card import read_card

RATE_HZ = 16_000
POSIX = pytest.mark.skipif(os.name != "posix", reason="no such things here")


def noise(seconds: float, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, round(seconds * RATE_HZ)).clip(-1, 1)


def write(path: Path, sound: np.ndarray, rate_hz: int = RATE_HZ, **settings) -> Path:
    soundfile.write(path, sound, rate_hz, **settings)
    return path


def scores(path: Path, model: Path) -> dict[str, float]:
    return Tagger(model).predict(path)


@pytest.fixture
def predict(capsysbinary, shipped):
    """Run predict with the float32 file."""

    def run(*arguments: object, **settings):
        return lean_audio(capsysbinary, "predict", *arguments, "--model", shipped, **settings)

    return run


def odd_things(folder: Path) -> dict[str, tuple[Path, str]]:
    """What is no sound -> its path, and what is said of it."""
    folder.mkdir()
    (folder / "directory.wav").mkdir()
    (folder / "dangling.wav").symlink_to("nowhere.wav")
    (folder / "loop.wav").symlink_to("loop.wav")
    os.mkfifo(folder / "pipe.wav")
    says = {
        "gone.wav": "no such file",
        "directory.wav": "no sound in this directory",
        "dangling.wav": "a link to nowhere.wav, which does not exist",
        "loop.wav": "a link that leads to itself",
        "pipe.wav": "a named pipe, not a file",
    }
    return {name: (folder / name, sentence) for name, sentence in says.items()}


@POSIX
def test_what_is_no_sound_is_named_and_the_rest_are_tagged(predict, sound, tmp_path):
    copy = shutil.copy(sound, tmp_path / "other.wav")
    odd = odd_things(tmp_path / "odd")
    done = predict(sound, *(path for path, _ in odd.values()), copy, "--format", "json", code=1)
    tagged = [json.loads(line)["file"] for line in done.text.splitlines()]
    assert tagged == [str(sound), str(copy)]
    lines = done.complaint.splitlines()
    assert len(lines) == len(odd)
    for path, sentence in odd.values():
        assert any(line.startswith(f"error: {path}: {sentence}") for line in lines)
    assert "cluster" not in done.complaint


@POSIX
def test_a_directory_with_odd_things_in_it(predict, sound, tmp_path):
    odd = odd_things(tmp_path / "odd")
    for name in ("x.wav", "._x.wav", ".hidden.wav"):
        shutil.copy(sound, tmp_path / "odd" / name)
    shutil.copy(sound, tmp_path / "odd" / "directory.wav" / "inner.flac")
    (tmp_path / "odd" / "round").symlink_to("..")
    (tmp_path / "odd" / "notes.txt").write_text("owls")
    done = predict(tmp_path / "odd", "--format", "json", code=1)
    tagged = [Path(json.loads(line)["file"]).name for line in done.text.splitlines()]
    assert tagged == ["inner.flac", "x.wav"]
    assert len(done.complaint.splitlines()) == 3  # the two links and the pipe
    assert str(odd["gone.wav"][0]) not in done.complaint


def test_nothing_that_could_be_tagged_is_exit_code_2(predict, tmp_path):
    assert "no such file" in predict(tmp_path / "a.wav", tmp_path / "b.wav", code=2).complaint


def test_a_directory_says_what_was_passed_over(predict, sound, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name in ("a.m4a", "b.M4A", "c.mp4", "d.txt"):
        (folder / name).write_bytes(b"\0\0\0\x18ftypM4A ")
    lost = predict(folder, sound, code=1).complaint
    assert "no sound in this directory (3 files passed over, in formats that are not read" in lost
    shutil.copy(sound, folder)
    said = predict(folder).complaint
    assert said == (
        f"warning: {folder}: 3 files passed over, in formats that are not read "
        "(2 .m4a, 1 .mp4); convert them: ffmpeg -i IN out.flac\n"
    )
    assert "MPEG-4 (.m4a, .mp4) is not read here" in predict(folder / "a.m4a", code=2).complaint


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg", "aiff"])
@pytest.mark.parametrize("raw", [(), ("--rate", "16000")])
def test_a_sound_file_on_standard_input_is_decoded(predict, shipped, tmp_path, suffix, raw):
    path = write(tmp_path / f"x.{suffix}", noise(2))
    if suffix == "mp3" and raw:  # an MP3 without a tag looks like samples
        tag = b"ID3\4\0\0\0\0\0\x14" + b"TIT2\0\0\0\x02\0\0\0a" + bytes(8)
        path.write_bytes(tag + path.read_bytes())
    done = predict("-", *raw, "--format", "json", "--top", "all", stdin=path.read_bytes())
    content = json.loads(done.text)
    assert content["file"] == "-"
    found = {label["label"]: label["score"] for label in content["labels"]}
    assert found == scores(path, shipped)


def test_what_is_no_sound_on_standard_input_is_a_sentence(predict):
    assert "MPEG-4" in predict("-", stdin=b"\0\0\0\x18ftypM4A " + bytes(99), code=2).complaint
    assert "--rate" in predict("-", stdin=b"hello, world, hello", code=2).complaint
    assert "-: unreadable" in predict("-", stdin=b"fLaC" + bytes(99), code=2).complaint


@POSIX
def test_pipes_that_the_shell_has_opened_are_read(shipped, tmp_path):
    path = write(tmp_path / "x.flac", noise(2))
    program = f"{sys.executable} -m lean_audio.cli predict --model {shipped} --format json "
    for command in (f"{program} <(cat {path})", f"cat {path} | {program} /dev/stdin"):
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["end_s"] == 2.0


@POSIX
def test_pipes_are_read_whatever_the_number_of_jobs(shipped, tmp_path):
    paths = [write(tmp_path / f"{name}.flac", noise(2)) for name in "ab"]
    pipes = " ".join(f"<(cat {path})" for path in paths)
    program = f"{sys.executable} -m lean_audio.cli predict --model {shipped} --format json"
    command = ["bash", "-c", f"{program} --jobs 2 {pipes}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2


def test_a_stream_that_ends_within_a_frame_keeps_its_summary(predict):
    sound = np.rint(noise(2.5) * 32_767).astype("<i2").tobytes()
    whole = predict("-", "--rate", 16_000, "--format", "json", stdin=sound).text
    cut = predict("-", "--rate", 16_000, "--format", "json", stdin=sound + b"x", code=1)
    assert cut.text == whole
    assert "error: -: the samples end within a frame of 2 bytes (1 x s16le)" in cut.complaint


def test_a_stream_that_becomes_unusable_keeps_the_summary_of_what_was_sound(predict):
    sound = np.concatenate([noise(3), [np.nan]]).astype("<f4").tobytes()
    settings = ("--rate", 16_000, "--encoding", "f32le", "--format", "json")
    done = predict("-", *settings, stdin=sound, code=2)
    assert json.loads(done.text)["end_s"] == 3.0
    assert "NaN" in done.complaint


SILENCES = {
    "digital": np.zeros(32_000),
    "constant": np.full(32_000, 0.3),
    "-80 dBFS": noise(2, 1e-4),
    "one-sided click of one bit": np.eye(1, 32_000, 9).ravel() / 32_768,
}


@pytest.mark.parametrize("kind", SILENCES)
@pytest.mark.parametrize(("suffix", "subtype"), [("wav", "PCM_24"), ("flac", "PCM_24")])
def test_silence_has_no_label(predict, shipped, tmp_path, kind, suffix, subtype):
    path = write(tmp_path / f"x.{suffix}", SILENCES[kind], subtype=subtype)
    for settings in ((), ("--threshold", "auto"), ("--threshold", "0"), ("--timeline",)):
        assert "(silent)" in predict(path, *settings).text
        assert predict(path, *settings, "--format", "csv").rows == []
        for line in predict(path, *settings, "--format", "json").text.splitlines():
            content = json.loads(line)
            assert (content["silent"], content["labels"]) == (True, [])
    assert set(scores(path, shipped).values()) == {0.0}


def test_sound_that_is_not_quite_silent_is_tagged_as_before(predict, shipped, tmp_path):
    path = write(tmp_path / "x.wav", noise(2, 5e-4))  # -66 dBFS
    assert "(silent)" not in predict(path).text
    bark = np.concatenate([np.zeros(20_000), noise(1), np.zeros(20_000)])
    path = write(tmp_path / "bark.wav", bark)
    tagger = Tagger(shipped)
    spans = list(tagger.file_spans(path))
    assert {span.silent for span in spans} == {True, False}
    expected = np.mean([span.scores for span in spans], axis=0, dtype=np.float64).astype("f4")
    assert tagger.predict(path) == dict(
        sorted(zip(LABELS, expected.tolist(), strict=True), key=lambda pair: -pair[1])
    )


def test_the_largest_score_of_the_chunks_can_be_the_clips(predict, shipped, tmp_path):
    path = write(tmp_path / "x.wav", np.concatenate([noise(1), noise(9, 0.001)]))
    spans = list(Tagger(shipped).file_spans(path))
    largest = np.max([span.scores for span in spans], axis=0)
    settings = ("--format", "json", "--top", "all")
    found = json.loads(predict(path, "--aggregate", "max", *settings).text)["labels"]
    by_label = {each["label"]: each["score"] for each in found}
    assert by_label == dict(zip(LABELS, largest.tolist(), strict=True))
    assert summarize(spans, "max").scores.tolist() == largest.tolist()
    mean = json.loads(predict(path, *settings).text)["labels"]
    assert {each["label"]: each["score"] for each in mean} == dict(
        zip(LABELS, clip_scores(spans).tolist(), strict=True)
    )


def test_channels_can_be_split_or_chosen(predict, shipped, tmp_path):
    sounds = [noise(2, 0.1, 1), noise(2, 0.02, 2)]
    alone = [scores(write(tmp_path / f"{n}.wav", s), shipped) for n, s in enumerate(sounds)]
    path = write(tmp_path / "x.wav", np.stack(sounds, 1))
    settings = ("--format", "json", "--top", "all")

    def read(line: str) -> dict[str, float]:
        return {each["label"]: each["score"] for each in json.loads(line)["labels"]}

    split = predict(path, "--channel", "split", *settings).text.splitlines()
    assert [read(line) for line in split] == alone
    assert [json.loads(line)["channel"] for line in split] == [1, 2]
    assert read(predict(path, "--channel", 2, *settings).text) == alone[1]
    rows = predict(path, "--channel", "split", "--format", "csv").rows
    assert [row["channel"] for row in rows] == ["1"] * 5 + ["2"] * 5
    done = predict(path, tmp_path / "1.wav", "--channel", 2, *settings, code=1)
    assert f"error: {tmp_path / '1.wav'}: has 1 channels, so no channel 2" in done.complaint
    raw = soundfile.read(path, dtype="int16")[0].astype("<i2").tobytes()
    stream = ("-", "--rate", 16_000, "--channels", 2, "--channel", 1)
    assert read(predict(*stream, *settings, stdin=raw).text) == alone[0]


def test_channels_that_cancel_out_are_remarked_on(predict, shipped, tmp_path):
    left = noise(2)
    path = write(tmp_path / "x.wav", np.stack([left, -0.98 * left], 1))
    done = predict(path, "--format", "json", "--top", "all")
    assert done.complaint == f"warning: {path}: its channels cancel out; the loudest is used\n"
    found = {each["label"]: each["score"] for each in json.loads(done.text)["labels"]}
    assert found == scores(write(tmp_path / "left.wav", left), shipped)


def test_a_cut_sound_is_tagged_with_a_warning(predict, tmp_path):
    path = write(tmp_path / "x.wav", noise(10))
    path.write_bytes(path.read_bytes()[:160_044])
    done = predict(path)
    assert "x.wav  (5.00 s)" in done.text
    assert done.complaint == (
        f"warning: {path}: truncated: 160000 of 320000 bytes of samples; what is there is used\n"
    )


@pytest.mark.parametrize("name", ["precious.wav", "picture.jpg", "x.v2"])
def test_a_picture_is_a_png(predict, sound, tmp_path, name):
    target = tmp_path / name
    target.write_bytes(sound.read_bytes())
    before = target.read_bytes()
    done = predict(sound, "--plot", target, code=2)
    assert f"--plot {target}: a picture is a .png file" in done.complaint
    assert target.read_bytes() == before


def test_a_picture_never_replaces_a_sound(predict, sound, tmp_path):
    target = tmp_path / "really_sound.png"
    shutil.copy(sound, target)
    assert "is one of the sounds" in predict(target, "--plot", target, code=2).complaint
    (tmp_path / "link.png").symlink_to(target)
    assert "is one of the" in predict(target, "--plot", tmp_path / "link.png", code=2).complaint
    below = shutil.copy(sound, tmp_path / "a.wav.png")
    shutil.copy(sound, tmp_path / "a.wav")
    done = predict(tmp_path / "a.wav", below, "--plot", tmp_path, code=2)
    assert "is one of the sounds" in done.complaint
    assert target.read_bytes() == below.read_bytes() == sound.read_bytes()


@POSIX
@pytest.mark.parametrize("name", [os.fsdecode(b"b\xff.wav"), "\N{DOG FACE}.wav", "犬$x^2$.wav"])
@pytest.mark.filterwarnings("error")
def test_a_picture_of_any_name_is_drawn(predict, sound, tmp_path, name):
    path = tmp_path / name
    shutil.copy(sound, path)
    done = predict(path, "--plot", tmp_path / "out.png")
    assert done.complaint == ""
    assert os.fsencode(name) in done.stdout
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_terminal_that_knows_only_ascii_shows_every_name(shipped, sound, tmp_path):
    path = tmp_path / "犬.wav"
    shutil.copy(sound, path)
    command = [sys.executable, "-m", "lean_audio.cli", "predict", path, "--model", shipped]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u72ac.wav" in done.stdout


def test_the_version_is_shown(capsysbinary):
    assert lean_audio(capsysbinary, "--version").text.startswith("lean-audio ")


def test_silent_chunks_add_nothing_to_the_largest_score(shipped, tmp_path):
    path = write(tmp_path / "x.wav", np.concatenate([noise(1), np.zeros(3 * RATE_HZ)]))
    spans = list(Tagger(shipped).file_spans(path))
    heard = [span.scores for span in spans if not span.silent]
    assert len(heard) < len(spans)
    assert summarize(spans, "max").scores.tolist() == np.max(heard, axis=0).tolist()


def test_the_tagger_refuses_what_has_no_meaning(shipped):
    tagger, stereo = Tagger(shipped), np.zeros((RATE_HZ, 2), np.float32)
    with pytest.raises(LeanError, match="aggregate is 'median'; it must be mean or max"):
        tagger(stereo, rate_hz=RATE_HZ, aggregate="median")
    with pytest.raises(LeanError, match="so no channel 0"):
        tagger(stereo, rate_hz=RATE_HZ, channel=0)
    with pytest.raises(LeanError, match=r"16,000 channels of 2 samples; .* transpose"):
        tagger(stereo.T, rate_hz=RATE_HZ)


def changed(model: Path, to: Path, **changes: object) -> Path:
    """The model with other values in its card; None takes a key out."""
    shutil.copy(model, to)
    with zipfile.ZipFile(model) as archive:
        card = json.loads(archive.read("lean.json")) | changes
    card = {key: value for key, value in card.items() if value is not None}
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(to, "a") as archive:
        archive.writestr("lean.json", json.dumps(card))
    return to


WRONG = {
    "text": ({"hop_s": "x"}, 'hop_s in lean.json is "x"; it must be a number of seconds above 0'),
    "backwards": ({"hop_s": -1}, "hop_s in lean.json is -1"),
    "for ever": ({"hop_s": 0}, "hop_s in lean.json is 0"),
    "below a sample": ({"hop_s": 1e-9}, "hop_s in lean.json is 1e-09"),
    "gaps": ({"hop_s": 1.5}, "hop_s in lean.json is 1.5; it must be .* at most 1"),
    "infinite": ({"hop_s": float("inf")}, "hop_s in lean.json is Infinity"),
    "true": ({"hop_s": True}, "hop_s in lean.json is true"),
    "no hop": ({"hop_s": None}, "hop_s in lean.json is missing"),
    "tail": ({"tail": "cut"}, 'tail in lean.json is "cut"; it must be repeat or drop'),
    "resampler": ({"resampler": "best"}, 'resampler in lean.json is "best"; it must be VHQ or'),
    "list": ({"resampler": ["HQ"]}, "resampler in lean.json is 1 values"),
    "null": ({"thresholds": [0.5] * 6 + [None]}, "thresholds in lean.json is .* them null; it"),
    "short": ({"thresholds": [0.5] * 6}, "thresholds in lean.json is 6 values; it must be 7"),
    "high": ({"thresholds": [7.0] * 7}, "thresholds in lean.json is 7 values.* from 0 to 1"),
    "number": ({"thresholds": 0.5}, "thresholds in lean.json is 0.5"),
    "endless": ({"hop_s": 10**400}, "hop_s in lean.json is 1000"),
    "rate": ({"sample_rate_hz": 8000}, "sample_rate_hz in lean.json is 8000; it must be 16000"),
    "chunk": ({"chunk_samples": 8000}, "chunk_samples in lean.json is 8000; it must be 16000"),
    "slopes": ({"calibration": {"slope": [1.0]}}, "calibration in lean.json is .*; it must be"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_card_that_was_edited_is_checked_on_opening(shipped, tmp_path, case):
    changes, says = WRONG[case]
    with pytest.raises(LeanError, match=says):
        Tagger(changed(shipped, tmp_path / "x.tflite", **changes))


def test_a_card_may_say_more_than_is_needed(shipped, tmp_path):
    path = changed(shipped, tmp_path / "x.tflite", note="ours", calibration=None, hop_s=1)
    assert Tagger(path).hop_samples == RATE_HZ


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ("\n".join(LABELS[:5]), "thresholds in lean.json is 7 values; it must be 5 numbers"),
        ("\n".join([*LABELS[:6], LABELS[0]]), "empty or double labels .'Sound_0'"),
        ("\n".join([*LABELS[:6], ""]) + "\n", "empty or double labels .''"),
    ],
)
def test_labels_that_were_edited_are_checked(shipped, tmp_path, labels, says):
    path = Path(shutil.copy(shipped, tmp_path / "x.tflite"))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", labels)
    with pytest.raises(LeanError, match=says):
        read_card(path)


def test_every_output_needs_a_label(shipped, tmp_path):
    path = changed(shipped, tmp_path / "x.tflite", thresholds=[0.5] * 5, calibration=None)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "\n".join(LABELS[:5]))
    with pytest.raises(LeanError, match="has 5 labels for the model's 7 outputs"):
        Tagger(path)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.9999])
def test_a_download_that_was_cut_is_called_so(capsysbinary, shipped, tmp_path, part):
    path = tmp_path / "x.tflite"
    path.write_bytes(shipped.read_bytes()[: int(shipped.stat().st_size * part)])
    for command in (("info", path), ("predict", "x.wav", "--model", path)):
        complaint = lean_audio(capsysbinary, *command, code=2).complaint
        assert "copy or download it again" in complaint
        assert ("is empty (0 bytes)" if not part else "is cut: its end is missing") in complaint


def test_weights_that_have_changed_are_noticed(capsysbinary, shipped, tmp_path):
    assert "checksum: the weights are as" in lean_audio(capsysbinary, "info", shipped).text
    content = bytearray(shipped.read_bytes())
    content[len(content) // 2] ^= 1
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    done = lean_audio(capsysbinary, "info", path, code=2)
    assert "x.tflite is damaged: its weights or their checksum have changed" in done.complaint


def test_a_damaged_checksum_is_noticed(capsysbinary, shipped, tmp_path):
    content = bytearray(shipped.read_bytes())
    with zipfile.ZipFile(shipped) as archive:
        entry = archive.getinfo("model.sha256")
    content[entry.header_offset + 30 + len(entry.filename) + 5] ^= 0xFF
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    assert "x.tflite is damaged" in lean_audio(capsysbinary, "info", path, code=2).complaint


def test_labels_that_windows_has_edited_are_the_same(shipped, tmp_path):
    path = Path(shutil.copy(shipped, tmp_path / "x.tflite"))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "\r\n".join([*LABELS, ""]))
    assert read_card(path)[0] == list(LABELS)


@POSIX
def test_a_model_is_a_regular_file(capsysbinary, tmp_path):
    os.mkfifo(tmp_path / "pipe.tflite")
    for path in (tmp_path, tmp_path / "pipe.tflite"):
        done = lean_audio(capsysbinary, "info", path, code=2)
        assert "not readable as a model (not a regular file)" in done.complaint


def test_a_sound_is_no_model(capsysbinary, sound):
    assert "has no LEAN metadata" in lean_audio(capsysbinary, "info", sound, code=2).complaint


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_a_file_scores_as_its_samples_do(shipped, tmp_path, suffix):
    sound = np.stack([noise(40, 0.1, 1), noise(40, 0.2, 2)], 1)
    path = write(tmp_path / f"x.{suffix}", sound, 44_100)
    tagger = Tagger(shipped)
    whole = list(tagger.spans(read_clip(path, "HQ")))
    streamed = list(tagger.file_spans(path))
    assert [(s.start_s, s.end_s, s.silent) for s in streamed] == [
        (s.start_s, s.end_s, s.silent) for s in whole
    ]
    np.testing.assert_array_equal([s.scores for s in streamed], [s.scores for s in whole])
