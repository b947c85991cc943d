"""What is written of tags and events is what programs of others read."""

import csv
import io
import json
from pathlib import Path

import pytest
from annotation_readers import Region, read_audacity, read_raven

from lean_audio.cli.formats import FORMATS, Position, Source, Tags
from lean_audio.datasets.layouts.label_files import read_label_file
from lean_audio.tagger import Event

EVENTS = (Event(0.5, 1.25, "Bark", 0.9, 0.7), Event(3661.0, 3662.5, "Church_bell", 1.0, 1.0))
ODD = 'a "b"\tc,\n\u2028d'  # of a label or a name: what begins fields, lines and quotes


SOURCE = Source("x.wav")


def text_of(name: str, kind, *items, source: Source = SOURCE, split: bool = False) -> str:
    shape = FORMATS[name](kind, split)
    write = shape.event if kind == "events" else shape.tags
    text = "".join(write(source, item) for item in items)
    return shape.header() + shape.place(text, Position())[0]


def test_audacity_reads_the_label_track(tmp_path):
    text = text_of("audacity", "events", *EVENTS)
    assert read_audacity(text.encode()) == [
        Region(0.5, 1.25, "Bark"),
        Region(3661.0, 3662.5, "Church_bell"),
    ]
    (tmp_path / "x.txt").write_text(text)
    ours = read_label_file(tmp_path / "x.txt")
    assert [(one.start_s, one.end_s, one.labels) for one in ours] == [
        (0.5, 1.25, ("Bark",)),
        (3661.0, 3662.5, ("Church_bell",)),
    ]


def test_raven_reads_the_selection_table(tmp_path):
    text = text_of("raven", "events", *EVENTS, source=Source("x.wav", rate_hz=11_025))
    rows = read_raven(text.encode())
    assert [(row["Begin Time (s)"], row["End Time (s)"]) for row in rows] == [
        ("0.500000", "1.250000"),
        ("3661.000000", "3662.500000"),
    ]
    assert [row["Annotation"] for row in rows] == ["Bark", "Church_bell"]
    assert {row["High Freq (Hz)"] for row in rows} == {"5512.5"}
    assert {(row["Begin File"], row["Begin Path"]) for row in rows} == {
        ("x.wav", str(Path("x.wav").absolute()))
    }
    (tmp_path / "x.Table.1.selections.txt").write_text(text)
    ours = read_label_file(tmp_path / "x.Table.1.selections.txt")
    assert [(one.start_s, one.end_s, one.labels) for one in ours] == [
        (0.5, 1.25, ("Bark",)),
        (3661.0, 3662.5, ("Church_bell",)),
    ]


def test_a_selection_table_of_several_files_has_cumulative_times():
    shape = FORMATS["raven"]("events")
    position, text = Position(), shape.header()
    for file, length_s in (("a.wav", 10.0), ("b.wav", 20.0), ("c.wav", 5.5)):
        own = "" if file == "b.wav" else "".join(shape.event(Source(file), e) for e in EVENTS[:1])
        placed, rows = shape.place(own, position)
        text, position = text + placed, position.after(rows, length_s)
    rows = read_raven(text.encode())
    assert [row["Begin Time (s)"] for row in rows] == ["0.500000", "30.500000"]
    assert [row["End Time (s)"] for row in rows] == ["1.250000", "31.250000"]
    assert [row["File Offset (s)"] for row in rows] == ["0.500000"] * 2
    assert [row["Begin File"] for row in rows] == ["a.wav", "c.wav"]


@pytest.mark.parametrize("name", ["audacity", "raven"])
def test_odd_names_stay_on_one_line(name):
    text = text_of(name, "events", Event(0, 1, ODD, 1, 1), source=Source(f"folder  2/{ODD}.wav"))
    plain = 'a "b" c,  d'
    if name == "audacity":
        assert [region.text for region in read_audacity(text.encode())] == [plain]
    else:
        (row,) = read_raven(text.encode())
        assert (row["Annotation"], row["Begin File"]) == (plain, f"{plain}.wav")
        assert "folder  2/" in row["Begin Path"]


@pytest.mark.parametrize("split", [False, True])
def test_csv_and_json_have_the_same(split):
    source = Source(f"{ODD}.wav", 2 if split else None)
    event = Event(0.5, 1.25, ODD, 0.9, 0.7)
    (row,) = csv.DictReader(
        io.StringIO(text_of("csv", "events", event, source=source, split=split))
    )
    line = json.loads(text_of("json", "events", event, source=source, split=split))
    assert list(row)[:6] == ["file", "onset", "offset", "label", "peak", "mean"]
    assert row["label"] == line["label"] == ODD
    assert row["file"] == line["file"] == f"{ODD}.wav"
    assert float(row["onset"]) == line["onset_s"] and float(row["offset"]) == line["offset_s"]
    assert float(row["peak"]) == line["peak"] and float(row["mean"]) == line["mean"]
    assert (row.get("channel"), line.get("channel")) == (("2", 2) if split else (None, None))


def test_tags_fit_into_all_formats():
    tags = Tags(1.0, 2.0, False, (("Bark", 0.9), ("Dog", 0.8)))
    for kind in ("clips", "timeline"):
        assert [r.text for r in read_audacity(text_of("audacity", kind, tags).encode())] == [
            *("Bark", "Dog"),
        ]
        rows = read_raven(text_of("raven", kind, tags).encode())
        assert [(row["Annotation"], float(row["Score"])) for row in rows] == list(tags.scores)
    silent = Tags(0.0, 2.0, True, ())
    assert text_of("audacity", "clips", silent) == ""
    assert text_of("raven", "clips", silent) == FORMATS["raven"]("clips").header()


def test_the_table_is_for_people():
    shape = FORMATS["table"]("events", True)
    assert shape.start(Source("x.wav", 2)) == "x.wav  channel 2\n"
    assert shape.event(Source("x.wav"), EVENTS[0]) == (
        "    0.50 -     1.25 s  peak 0.900  mean 0.700  Bark\n"
    )
    assert shape.nothing(Source("x.wav")) == "  (none)\n"
