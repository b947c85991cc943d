"""`lean-audio events` and the tagger's methods, on a finished file."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from annotation_readers import read_audacity, read_raven
from command_line import lean_audio
from device_models import LABELS

from lean_audio.datasets.layouts.label_files import read_label_file
from lean_audio.errors import LeanError
from lean_audio.tagger import Tagger, find_events
from lean_audio.tflite.card import read_card


@pytest.fixture
def changing(tmp_path) -> Path:
    """12.3 s whose loudness changes, so that scores do."""
    rng = np.random.default_rng(3)
    loudness = np.repeat(10.0 ** -rng.integers(0, 5, 25), 8_000)[: int(12.3 * 16_000)]
    path = tmp_path / "changing.wav"
    soundfile.write(path, (rng.normal(0, 0.3, len(loudness)) * loudness).clip(-1, 1), 16_000)
    return path


@pytest.fixture
def events(capsysbinary, shipped):
    """Run events with the float32 file."""

    def run(*arguments: object, **settings):
        return lean_audio(capsysbinary, "events", *arguments, "--model", shipped, **settings)

    return run


def middle(path: Path, model: Path) -> float:
    """A score that some label passes now and then."""
    scores = np.array([span.scores for span in Tagger(model).chunks(path)])
    spread = scores.max(0) - scores.min(0)
    return float(np.median(scores[:, spread.argmax()]))


@pytest.mark.parametrize("hop", [None, 0.1])
@pytest.mark.parametrize("format_", ["csv", "json", "raven", "audacity"])
def test_a_file_and_a_stream_have_the_same_events(events, shipped, changing, hop, format_):
    least = middle(changing, shipped)
    settings = ["--threshold", least, "--low-threshold", least * 0.98, "--max-gap", 0.3]
    settings += ["--min-duration", 0.2, "--format", format_, *(["--hop", hop] if hop else [])]
    lines = events(changing, *settings).text.splitlines()
    assert len(lines) > 3
    pcm = soundfile.read(changing, dtype="int16")[0].tobytes()
    stream = events("-", "--rate", 16_000, *settings, stdin=pcm).text.splitlines()
    content = events("-", *settings, stdin=changing.read_bytes()).text.splitlines()

    def plain(rows: list[str]) -> list[str]:
        shown = [row.replace(str(Path("-").absolute()), "-") for row in rows]
        shown = [row.replace(str(changing), "-").replace(changing.name, "-") for row in shown]
        if format_ == "raven":
            shown = [row.split("\t", 1)[1] for row in shown]
        return sorted(shown)

    assert plain(stream) == plain(content) == plain(lines)


def test_events_are_those_of_the_chunks(events, shipped, changing):
    least = middle(changing, shipped)
    tagger = Tagger(shipped)
    finder = tagger.event_finder(threshold=least, max_gap_s=0.5)
    expected = sorted(find_events(tagger.chunks(changing), finder))
    done = events(changing, "--threshold", least, "--max-gap", 0.5, "--format", "json")
    found = [json.loads(line) for line in done.text.splitlines()]
    assert [(e["onset_s"], e["offset_s"], e["label"], e["peak"], e["mean"]) for e in found] == [
        (e.onset_s, e.offset_s, e.label, e.peak, e.mean) for e in expected
    ]
    assert {event.label for event in expected} <= set(LABELS)
    assert sorted(tagger.events(changing, threshold=least, max_gap_s=0.5)) == expected


def test_tracks_and_tables_of_sounds_are_read_back(events, shipped, changing, tmp_path):
    other = tmp_path / "sub" / "other.flac"
    other.parent.mkdir()
    soundfile.write(other, soundfile.read(changing)[0][:70_001], 8_000)
    settings = ("--threshold", middle(changing, shipped), "--format")
    files = (changing, other, changing)
    rows = [json.loads(line) for line in events(*files, *settings, "json").text.splitlines()]
    table = read_raven(events(*files, *settings, "raven").stdout)
    begins = np.cumsum([0.0, *(soundfile.info(file).duration for file in files)])
    cut = next(n for n, row in enumerate(rows) if row["file"] == str(other))
    again = next(n for n, row in enumerate(rows[cut:], cut) if row["file"] != str(other))
    for number, (row, selection) in enumerate(zip(rows, table, strict=True)):
        offset_s = begins[(number >= cut) + (number >= again)]
        assert float(selection["Begin Time (s)"]) == pytest.approx(row["onset_s"] + offset_s)
        assert float(selection["End Time (s)"]) == pytest.approx(row["offset_s"] + offset_s)
        assert float(selection["File Offset (s)"]) == pytest.approx(row["onset_s"], abs=1e-6)
        assert selection["Begin Path"] == row["file"]
        high_hz = 4000.0 if row["file"] == str(other) else 8000.0
        assert float(selection["High Freq (Hz)"]) == high_hz
    tracks = tmp_path / "tracks"
    events(changing, other, *settings, "audacity", "--output", tracks)
    for file, name in ((changing, "changing.txt"), (other, "sub/other.txt")):
        expected = [
            (r["onset_s"], r["offset_s"], r["label"]) for r in rows if r["file"] == str(file)
        ]
        expected = expected[: len(expected) // (2 if file == changing else 1)]
        regions = read_audacity((tracks / name).read_bytes())
        ours = read_label_file(tracks / name)
        for one, region, row in zip(ours, regions, expected, strict=True):
            assert (one.start_s, one.end_s, *one.labels) == pytest.approx(row, abs=1e-6)
            assert (region.start_s, region.end_s, region.text) == (
                *(one.start_s, one.end_s, *one.labels),
            )


def test_label_tracks_of_several_sounds_need_a_directory(events, changing, sound):
    done = events(changing, sound, "--format", "audacity", code=2)
    assert "has no column for the file, and there are 2: name a directory" in done.complaint


def test_a_hop_of_ones_own(capsysbinary, shipped, changing):
    settings = ("--model", shipped, "--timeline", "--top", 1, "--format", "json")
    done = lean_audio(capsysbinary, "predict", changing, "--hop", 0.1, *settings)
    rows = [json.loads(line) for line in done.text.splitlines()]
    assert [row["start_s"] for row in rows[:3]] == [0.0, 0.1, 0.2]
    assert len(rows) == 114  # a chunk starts every 0.1 s up to 11.3 s
    for hop in ("1.5", "0"):
        done = lean_audio(capsysbinary, "predict", changing, "--hop", hop, *settings, code=2)
        assert "it must be above 0 and at most 1 s" in done.complaint
    done = lean_audio(capsysbinary, "predict", changing, "--hop", "fine", *settings, code=2)
    assert "'fine' is not a number of seconds" in done.complaint


def test_silence_has_no_events(events, tmp_path):
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(48_000), 16_000)
    done = events(path, "--threshold", 0, "--low-threshold", 0)
    assert done.text == f"{path}\n  (none)\n"
    assert events(path, "--format", "csv").rows == []


def test_mistakes_are_one_sentence(events, changing):
    for settings, says in (
        (("--threshold", 0.3, "--low-threshold", 0.4), "(0.4) is above the threshold (0.3)"),
        (("--labels", "Sound_8"), "'Sound_8' is not one of the model's 7 labels (near: Sound_"),
        (("--leaves",), "the model has no hierarchy of labels (parents in lean.json)"),
        (("--resume",), "--resume needs --output"),
        (("--max-gap", "-1"), "'-1' is not a number of seconds from 0 on"),
    ):
        complaint = events(changing, *settings, code=2).complaint
        assert says in complaint
        assert complaint.strip().splitlines()[-1].count("error: ") == 1


def with_parents(model: Path, to: Path, parents: object) -> Path:
    shutil.copy(model, to)
    with zipfile.ZipFile(model) as archive:
        card = json.loads(archive.read("lean.json")) | {"parents": parents}
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(to, "a") as archive:
        archive.writestr("lean.json", json.dumps(card))
    return to


def test_the_hierarchy_in_the_file_names_leaves(capsysbinary, shipped, changing, tmp_path):
    parents = {"Sound_1": ["Sound_0"], "Sound_2": ["Sound_1", "Sound_6"]}
    model = with_parents(shipped, tmp_path / "x.tflite", parents)
    settings = ("--model", model, "--threshold", 0, "--top", "all", "--format", "json")
    done = lean_audio(capsysbinary, "predict", changing, "--leaves", *settings)
    shown = {each["label"] for each in json.loads(done.text)["labels"]}
    assert shown == {"Sound_2", "Sound_3", "Sound_4", "Sound_5"}
    settings = ("--model", model, "--leaves", "--threshold", 0, "--format", "csv")
    done = lean_audio(capsysbinary, "events", changing, *settings)
    assert {row["label"] for row in done.rows} == shown


@pytest.mark.parametrize(
    ("parents", "says"),
    [
        ([], "parents in lean.json is 0 values; it must be label -> list of labels"),
        ({"Sound_0": "Sound_1"}, "it must be label -> list of labels, all of them in labels.txt"),
        ({"Sound_0": ["Dog"]}, "all of them in labels.txt"),
        ({"Dog": ["Sound_0"]}, "all of them in labels.txt"),
        ({"Sound_0": [1]}, "all of them in labels.txt"),
        ({"Sound_0": ["Sound_1"], "Sound_1": ["Sound_0"]}, "put a label above itself: Sound_"),
        ({"Sound_0": ["Sound_0"]}, "put a label above itself: Sound_0 > Sound_0"),
    ],
)
def test_a_hierarchy_that_is_none_is_refused(shipped, tmp_path, parents, says):
    with pytest.raises(LeanError, match=says):
        read_card(with_parents(shipped, tmp_path / "x.tflite", parents))


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (44_100, 1), (8_000, 2)])
def test_arrays_are_scored_like_files(shipped, tmp_path, dtype, rate_hz, channels):
    tagger = Tagger(shipped)
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, (rate_hz * 3, channels))
    path = tmp_path / "x.wav"
    soundfile.write(path, sound, rate_hz, subtype="PCM_16")
    samples = soundfile.read(path, dtype=dtype)[0]
    found, expected = tagger(samples, rate_hz=rate_hz), tagger(path)
    assert list(found) == list(expected)
    np.testing.assert_allclose(list(found.values()), list(expected.values()), atol=2e-3)
    second = tagger(samples, rate_hz=rate_hz, channel=channels)
    assert second == tagger(str(path), channel=channels) or dtype != "int16" or rate_hz != 16_000
    blocks = np.array_split(samples, 7)
    streamed = list(tagger.stream(blocks, rate_hz=rate_hz))
    assert [span.end_s for span in streamed] == [
        span.end_s for span in tagger.chunks(samples, rate_hz=rate_hz)
    ]
    settings = {"rate_hz": rate_hz, "threshold": 0.5, "low_threshold": 0.5}
    assert [(e.label, e.onset_s) for e in tagger.events(blocks, **settings)] == [
        (e.label, e.onset_s) for e in tagger.events(samples, **settings)
    ]


@pytest.mark.parametrize(
    ("samples", "settings", "says"),
    [
        (np.zeros(9, np.uint8), {}, r"samples are uint8 of shape \(9,\); allowed are int16, int32"),
        (np.zeros((2, 2, 2)), {}, r"float64 of shape \(2, 2, 2\)"),
        (np.zeros((9, 0)), {}, r"of shape \(9, 0\)"),
        (np.array([]), {}, "no samples"),
        (np.array([np.nan]), {}, "samples: contains samples that are NaN or infinite"),
        (np.array([0, 3e4]), {}, "samples: samples reach 30,000, but full scale is 1"),
        (np.zeros(9), {"rate_hz": 0}, "the rate is 0 Hz; allowed are 1,000 to 768,000 Hz"),
        (np.zeros(9), {"rate_hz": None}, "samples need their sampling rate"),
        (np.zeros((9, 2)), {"channel": 3}, "has 2 channels, so no channel 3"),
    ],
)
def test_samples_that_cannot_be_used(shipped, samples, settings, says):
    with pytest.raises(LeanError, match=says):
        Tagger(shipped)(samples, **{"rate_hz": 16_000} | settings)
