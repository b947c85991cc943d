"""Annotated recordings: what is read, where they are cut, how they are split, what is refused."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from own_sounds import PREPARE, column, line, read, write_noise, write_sounds

from lean_audio.audio.chunking import CHUNK_SAMPLES, chunk_views
from lean_audio.audio.decode import read_clip
from lean_audio.audio.faults import BadClipError
from lean_audio.audio.parts import Recordings, count_samples
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.datasets.layout import load_dataset
from lean_audio.datasets.layouts.label_files import Annotation, kind_of, read_label_file
from lean_audio.datasets.segments import label_chunks
from lean_audio.errors import LeanError
from lean_audio.features.chunks import open_chunks
from lean_audio.features.prepare import prepare

HEADER = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


def annotate(root, name, *lines):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{text}\n" for text in lines))


def raven(*rows, column="Annotation"):
    """A selection table with two views of each selection."""
    lines = [f"{HEADER}\t{column}"]
    for number, (start, end, label) in enumerate(rows, 1):
        for view in ("Waveform 1", "Spectrogram 1"):
            lines.append(f"{number}\t{view}\t1\t{start}\t{end}\t100.0\t900.0\t{label}")
    return lines


@pytest.fixture
def nights(tmp_path):
    """Twelve recordings of 12 s, each with an owl, and wind in half of them."""
    root = tmp_path / "nights"
    for number in range(12):
        write_noise(root / f"n{number:02d}.wav", 12, number)
        wind = ["8.0\t9.5\twind"] if number % 2 else []
        annotate(root, f"n{number:02d}.txt", "2.0\t4.0\towl", *wind)
    return root


def spans(dataset, recording):
    clips = dataset.clips[dataset.clips["file"] == recording]
    return list(clips[["start_s", "end_s", "labels"]].itertuples(index=False, name=None))


def found_in(path, **settings):
    return [(a.start_s, a.end_s, a.labels) for a in read_label_file(path, **settings)]


def test_a_label_track(tmp_path):
    annotate(
        tmp_path,
        "x.txt",
        "1.5\t2.25\towl",
        "\\\t200.5\t900",  # the frequencies of the label above
        "3,5\t4,75\twind; rain",
        "7\t7\t click ",
        "",
    )
    found = [(1.5, 2.25, ("owl",)), (3.5, 4.75, ("wind", "rain")), (7, 7, ("click",))]
    assert found_in(tmp_path / "x.txt") == found


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_label_track_however_it_was_saved(tmp_path, end, encoding):
    (tmp_path / "x.txt").write_bytes(f"0\t1\tKäuzchen{end}2\t3\tWind{end}".encode(encoding))
    assert found_in(tmp_path / "x.txt") == [(0, 1, ("Käuzchen",)), (2, 3, ("Wind",))]


@pytest.mark.parametrize("name", ["Annotation", "Species", "Label", "Common Name"])
def test_a_selection_table(tmp_path, name):
    annotate(tmp_path, "x.txt", *raven(("0.5", "1.5", "owl"), ("2", "3", "fox"), column=name))
    found = read_label_file(tmp_path / "x.txt")
    assert [(a.start_s, a.labels) for a in found] == [(0.5, ("owl",)), (2, ("fox",))]
    assert found[1].where.endswith("x.txt, line 4")


def test_the_column_of_a_selection_table_may_be_named(tmp_path):
    annotate(tmp_path, "x.txt", *raven(("0.5", "1.5", "owl"), column="Call type"))
    assert found_in(tmp_path / "x.txt", label_column="call type") == [(0.5, 1.5, ("owl",))]
    message = r"none of its columns \(.*call_type\) is known .*label_column in datasets/<name>"
    with pytest.raises(LeanError, match=message):
        read_label_file(tmp_path / "x.txt")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1\t2\towl\n", "labels"),
        ("x\t2\towl\n3\t4\towl\n", "labels"),
        ("\\\t1\t2\n", "times"),
        (f"{HEADER}\n", "labels"),
        ("1\t2\n", "times"),
        (" \n", "empty"),
        ("a windy night\n", "other"),
        ("time\tpitch\n", "other"),
    ],
)
def test_what_a_text_file_holds(tmp_path, text, kind):
    if text.startswith("\\"):
        text = f"1\t2\t\n{text}"
    (tmp_path / "x.txt").write_text(text)
    assert kind_of(tmp_path / "x.txt") == kind


def labels_of_chunks(length_s, hop_s, *annotations):
    """The labels of each chunk, joined."""
    views = chunk_views(round(length_s * CHUNK_SAMPLES), round(hop_s * CHUNK_SAMPLES), "repeat")
    made = [Annotation(start, end, tuple(text), "") for start, end, text in annotations]
    hot, labels = label_chunks(views, made)
    return ["".join(np.array(labels)[row]) for row in hot]


@pytest.mark.parametrize(
    ("annotation", "labelled"),
    [
        ((1.0, 3.0), [1, 2]),
        ((1.5, 3.5), [1, 2, 3]),  # half a second is enough
        ((1.51, 3.49), [2]),
        ((2.0, 2.0), [1, 2]),  # a point between two chunks is in both
        ((2.3, 2.3), [2]),
        ((5.0, 5.0), [4]),  # at the very end
        ((2.2, 2.5), [2]),  # shorter than half a second
        ((2.9, 3.3), [3]),  # where most of it is
        ((2.8, 3.2), [2, 3]),
        ((2.6, 3.4), [2, 3]),  # in no chunk for half a second
        ((0.0, 9.0), [0, 1, 2, 3, 4]),
    ],
)
def test_half_a_second_of_an_annotation_labels_a_chunk(annotation, labelled):
    found = labels_of_chunks(5, 1, (*annotation, "x"))
    assert [number for number, labels in enumerate(found) if labels] == labelled


def test_chunks_that_overlap_are_labelled_one_by_one():
    found = labels_of_chunks(3.2, 0.5, (1.0, 2.0, "a"), (1.9, 3.2, "b"))
    #   from    0   .5    1.0  1.5  2.0  2.5 (to 3.2)
    assert found == ["", "a", "a", "ab", "b", "b"]


def test_clips_are_runs_of_chunks_with_the_same_labels(nights):
    dataset = read(nights)
    splits = dict(zip(dataset.clips["file"], dataset.clips["split"], strict=True))
    train = next(file for file in splits if splits[file] == "train" and file[2] in "02468")
    assert spans(dataset, train) == [
        ("0", "2", ()),
        ("2", "4", ("owl",)),
        ("4", "9", ()),  # 5 s are the longest
        ("9", "12", ()),
    ]
    held_out = next(file for file in splits if splits[file] == "eval" and file[2] in "02468")
    assert spans(dataset, held_out)[:3] == [  # chunks start every half second
        ("0", "2", ()),
        ("1.5", "4.5", ("owl",)),
        ("4", "9", ()),
    ]


def test_what_is_said_of_annotated_recordings(nights, capsys):
    said = line(nights)
    assert " clips cut from 12 recordings with 18 annotations; 2 labels, 36 without one; " in said
    assert "warning" not in capsys.readouterr().err


def test_recordings_are_not_torn_apart(nights):
    clips = read(nights).clips
    assert clips.groupby("file")["split"].nunique().eq(1).all()
    assert set(clips["split"]) == {"train", "val", "eval"}


def test_the_stored_chunks_are_those_of_the_recording(nights, tmp_path):
    dataset = read(nights)
    tables = tmp_path / "set_aside.csv", tmp_path / "counts.csv"
    prepare(dataset, nights, tmp_path / "audio", *tables, PREPARE, 1)
    assert pd.read_csv(tables[0]).empty
    for split, hop_s in PREPARE.hop_s.model_dump().items():
        chunks = open_chunks(tmp_path / "audio" / SPLIT_FOLDERS[split])
        files = sorted(set(dataset.clips.loc[dataset.clips["split"] == split, "file"]))
        views = chunk_views(12 * CHUNK_SAMPLES, round(hop_s * CHUNK_SAMPLES), PREPARE.tail)
        assert len(chunks) == len(files) * len(views)
        whole = [read_clip(nights / file, "HQ") for file in files]
        pieces = [samples[start : start + size] for samples in whole for start, size in views]
        np.testing.assert_array_equal(chunks.waveforms(range(len(chunks))), pieces)
        targets = chunks.targets(range(len(chunks)))[:, 0].reshape(len(files), -1)
        owls = [min(start + 1, 4) - max(start, 2) >= 0.5 for start in views[:, 0] / CHUNK_SAMPLES]
        assert (targets == owls).all()


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_a_part_is_what_it_is_in_the_whole(tmp_path, rate_hz, kind):
    path = write_noise(tmp_path / f"x.{kind}", 6, 1, rate_hz)
    whole = read_clip(path, "HQ")
    assert count_samples(path) == pytest.approx(len(whole), abs=2)
    with Recordings("HQ") as recordings:
        for start, end in [(0, 2), (3, 4), (1, 4), (2, 3), (4, len(whole) / 16_000)]:
            part = recordings.read(path, start, end).astype(int)
            assert len(part) == pytest.approx((end - start) * 16_000, abs=2)
            there = whole[round(start * 16_000) :][: len(part)].astype(int)
            middle = slice(200, -200)  # resampling knows what is around it
            error = np.abs(part - there)[middle].mean() / np.abs(there)[middle].mean()
            assert error < 0.02


def test_a_part_of_a_damaged_recording_is_set_aside(tmp_path):
    path = write_noise(tmp_path / "x.wav", 6, 1)
    path.write_bytes(path.read_bytes()[:90_000])
    with Recordings("HQ") as recordings, pytest.raises(BadClipError, match="truncated: 89956 of"):
        recordings.read(path, 0, 1)
    soundfile.write(path, np.full(32_000, np.nan), 16_000, subtype="FLOAT")
    with Recordings("HQ", 3) as recordings:
        with pytest.raises(BadClipError, match="NaN"):
            recordings.read(path, 0, 1)
        with pytest.raises(BadClipError, match="the recording ends at 2"):
            recordings.read(path, 1, 4)
        with pytest.raises(BadClipError, match=r"4 s long, more than prepare\.max_clip_s \(3\)"):
            recordings.read(path, 0, 4)


def test_the_clips_of_a_recording_that_cannot_be_read_are_set_aside_and_count(nights, tmp_path):
    (nights / "n03.wav").write_bytes(b"RIFF")
    dataset = read(nights)
    lost = dataset.clips.loc[dataset.clips["file"] == "n03.wav", "clip"].tolist()
    assert lost[0] == "n03@0-2" and len(lost) > 3
    tables = tmp_path / "set_aside.csv", tmp_path / "counts.csv"
    with pytest.raises(
        LeanError, match=r"clips cannot be used, more than .* n03\.wav \(unreadable"
    ):
        prepare(dataset, nights, tmp_path / "audio", *tables, PREPARE, 1)
    settings = PREPARE.model_copy(update={"max_set_aside": 0.5})
    prepare(dataset, nights, tmp_path / "audio", *tables, settings, 1)
    assert pd.read_csv(tables[0])["clip"].tolist() == lost


def test_one_long_recording_is_split_in_time(tmp_path, capsys):
    write_noise(tmp_path / "x.wav", 200, 1)
    annotate(
        tmp_path, "x.txt", *(f"{second}.0\t{second + 2}.0\towl" for second in range(0, 199, 9))
    )
    dataset = read(tmp_path)
    assert "warning: 1 recording cannot fill all splits" in (said := capsys.readouterr().err)
    assert "parts in more than one split: 1 recording ('x.wav')" in said
    assert "same bytes" not in said
    clips = dataset.clips.astype({"start_s": float, "end_s": float}).sort_values("start_s")
    assert set(clips["split"]) == {"train", "val", "eval"}
    later = clips.shift(-1)
    border = clips["split"] != later["split"]
    assert (clips["end_s"][border] <= later["start_s"][border].fillna(1e9)).all()
    assert read(tmp_path).clips.equals(dataset.clips)


def test_a_recording_too_short_to_be_split_is_refused(tmp_path):
    write_noise(tmp_path / "x.wav", 8, 1)
    annotate(tmp_path, "x.txt", "1\t2\towl")
    with pytest.raises(LeanError, match="1 group of labelled clips cannot fill train and val"):
        read(tmp_path)


def test_a_block_has_the_labels_of_its_clips(tmp_path):
    for number in range(2):  # an annotation that ends with a block is not in the next one
        write_noise(tmp_path / f"n{number}.wav", 40, number)
        annotate(tmp_path, f"n{number}.txt", "2.0\t5.0\towl", "7.0\t10.0\twind")
    for seed in range(20):
        clips = read(tmp_path, split_seed=seed).clips
        labelled = clips[clips["labels"].map(len) > 0]
        assert set(labelled["split"]) == {"train", "val", "eval"}


def test_a_recording_without_samples_is_set_aside(nights, tmp_path):
    soundfile.write(nights / "n00.wav", np.zeros(0), 16_000)
    annotate(nights, "n00.txt", "0.0\t0.3\towl")
    dataset = read(nights)
    assert [labels for *_, labels in spans(dataset, "n00.wav")] == [("owl",)]
    tables = tmp_path / "set_aside.csv", tmp_path / "counts.csv"
    settings = PREPARE.model_copy(update={"max_set_aside": 0.5})
    prepare(dataset, nights, tmp_path / "audio", *tables, settings, workers=1)
    assert list(pd.read_csv(tables[0])["file"]) == ["n00.wav"]


def test_folders_of_splits_and_of_backgrounds(tmp_path):
    for number, split in enumerate(("train", "val", "test")):
        for place in ("a", "b"):
            write_noise(tmp_path / split / place / f"{split}{place}.wav", 6, 10 * number)
            annotate(tmp_path, f"{split}/{place}/{split}{place}.txt", "1\t2\towl")
    write_noise(tmp_path / "train" / "background" / "quiet.wav", 6, 99)
    dataset = read(tmp_path)
    assert column(dataset, "split")["testa@0.5-2.5"] == "eval"
    assert spans(dataset, "train/background/quiet.wav") == [("0", "5", ()), ("5", "6", ())]


def test_what_is_not_used_is_counted(nights, capsys):
    write_noise(nights / "unheard.wav", 6, 50)
    write_noise(nights / "silent.wav", 6, 51)
    annotate(nights, "silent.txt")
    annotate(nights, "n00.notes.txt", "a windy night")
    annotate(nights, "gone.txt", "1\t2\towl")
    dataset = read(nights)
    said = capsys.readouterr().err
    assert "no file of annotations: 1 recording (unheard.wav)" in said
    assert "annotations without their recording: 1 file (gone.txt)" in said
    assert {labels for *_, labels in spans(dataset, "silent.wav")} == {()}


def test_names_of_selection_tables(nights):
    for number, name in enumerate(("Table.1.selections", "selections", "Table.2")):
        write_noise(nights / f"r{number}.wav", 6, 60 + number)
        annotate(nights, f"r{number}.{name}.txt", *raven(("1", "2", "fox")))
    annotate(nights, "r0.Table.2.selections.txt", *raven(("3", "5", "wolf")))
    dataset = read(nights)
    assert dataset.vocabulary == ("fox", "owl", "wind", "wolf")
    assert {labels for *_, labels in spans(dataset, "r0.wav")} == {(), ("fox",), ("wolf",)}


def test_a_few_label_tracks_do_not_turn_folders_of_labels_into_recordings(tmp_path, capsys):
    root = write_sounds(
        tmp_path, [f"{label}/{n}.wav" for label in ("cat", "dog") for n in range(6)]
    )
    annotate(root, "dog/0.txt", "0\t0.01\tbark")
    assert read(root).vocabulary == ("cat", "dog")
    said = capsys.readouterr().err
    assert "not used, as most sounds have no annotations: 1 file (dog/0.txt)" in said


FAULTS = {  # line of n00.txt -> what the sentence names
    "5\t4\towl": "line 2: the start, 5 s, is after the end, 4 s",
    "1:05\t1:06\towl": "line 2: '1:05' is not a time in seconds",
    "nan\t6\towl": "line 2: 'nan' is not a time in seconds",
    "-1\t6\towl": "line 2: '-1' is not a time in seconds",
    "5\t6\t ": "line 2: the label of 5 to 6 s is empty",
    "5\t6": "line 2: the label of 5 to 6 s is empty",
    "5": "line 2: '' is not a time in seconds",
    "11\t13\towl": "line 2: 13 s is beyond the end of 'n00.wav', 12 s",
    "14\t14\towl": "line 2: 14 s is beyond the end of 'n00.wav', 12 s",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_faulty_annotation_is_one_sentence(nights, text):
    annotate(nights, "n00.txt", "2.0\t4.0\towl", text)
    with pytest.raises(LeanError) as error:
        read(nights)
    assert str(error.value) == f"{nights / 'n00.txt'}, {FAULTS[text]}"


def test_more_faults_of_files(nights):
    annotate(nights, "n00.txt", *raven(("1", "2", "owl")))
    annotate(nights, "n01.txt", HEADER.replace("End Time", "Length"), "1\tx\t1\t2\t3\t4\t5")
    with pytest.raises(LeanError, match=r"n01\.txt: lacks the column 'End Time \(s\)'"):
        read(nights)
    annotate(nights, "n01.txt", "1\t2\towl")
    (nights / "n02.txt").write_bytes("1\t2\towl\n3\t4\tKäuzchen\n".encode("latin-1"))
    with pytest.raises(LeanError, match=r"n02\.txt, line 2, is not a file of annotations in UTF-8"):
        read(nights)
    annotate(nights, "n02.txt", "1\t2\towl")
    write_noise(nights / "n02.flac", 6, 1)
    with pytest.raises(LeanError, match=r"n02\.txt may belong to 'n02\.flac' or 'n02\.wav'"):
        read(nights)


def test_a_little_beyond_the_end_is_rounding(nights):
    annotate(nights, "n00.txt", "10\t12.4\towl")
    assert spans(read(nights), "n00.wav")[-1][2] == ("owl",)


PARTS = "file,start_s,end_s,label,split\n"


@pytest.fixture
def tapes(tmp_path):
    """Three recordings of 12 s."""
    for number, name in enumerate("abc"):
        write_noise(tmp_path / f"{name}.wav", 12, number)
    return tmp_path


def parts_table(*rows):
    lines = [f"{name},{rest},{split}\n" for name, rest, split in rows]
    rest = [f"{name},0,1,owl,{split}\n" for name, split in (("b", "val"), ("c", "eval"))]
    return PARTS + "".join([*lines, *rest])


def test_a_table_of_parts_of_files(tapes):
    text = parts_table(
        *(("a", "10.5,12,owl", "train"), ("a", "2,3.5,fox", "train"), ("a", "2,3.5,owl", "train")),
        *(("a", ",1,", "train"), ("a", "11,,fox", "train")),
    )
    (tapes / "parts.csv").write_text(text)
    dataset = read(tapes)
    assert spans(dataset, "a.wav") == [
        ("0", "1", ()),
        ("2", "3.5", ("fox", "owl")),
        ("10.5", "12", ("owl",)),
        ("11", "12", ("fox",)),
    ]
    assert dataset.clips["clip"].tolist()[1] == "a@2-3.5"
    assert line(tapes).startswith(
        "6 clips listed in parts.csv, in 3 files; 2 labels, 1 without one; "
    )


def test_parts_that_overlap_and_differ_are_named(tapes, capsys):
    rows = [("a", "2,4,fox", "train"), ("a", "3.5,5,owl", "train"), ("a", "6,8,owl", "train")]
    (tapes / "parts.csv").write_text(parts_table(*rows))
    read(tapes)
    assert "overlaps" not in capsys.readouterr().err
    (tapes / "parts.csv").write_text(parts_table(*rows, ("a", "6.5,9,fox", "train")))
    read(tapes)
    said = "overlaps another part of its file that has other labels: 1 clip (a@6.5-9); annotations"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("span", "fault"),
    [
        ("3,2", "the start, 3 s, is after the end, 2 s"),
        ("3,3", "nothing of 'a.wav' is between 3 and 3 s"),
        ("12.2,12.4", "nothing of 'a.wav' is between 12.2 and 12 s"),
        ("x,3", "'x' is not a time in seconds"),
        ("0,inf", "'inf' is not a time in seconds"),
        ("0,13", "13 s is beyond the end of 'a.wav', 12 s"),
    ],
)
def test_a_faulty_part_is_one_sentence(tapes, span, fault):
    (tapes / "parts.csv").write_text(parts_table(("a", f"{span},owl", "train")))
    with pytest.raises(LeanError) as error:
        read(tapes)
    assert str(error.value) == f"{tapes / 'parts.csv'}, line 2: {fault}"


def test_the_list_of_clips_of_recordings_can_be_given_back(nights, tmp_path):
    before = read(nights)
    before.save(nights)  # clips.csv
    (nights / "vocabulary.csv").unlink()
    again = read(nights, split_seed=9)
    assert again.clips.to_dict("list") == before.clips.to_dict("list")
    assert load_dataset_columns(before, tmp_path) == before.clips.to_dict("list")


def load_dataset_columns(dataset, folder):
    dataset.save(folder)
    return load_dataset(folder).clips.to_dict("list")


def test_a_table_of_onsets_and_offsets(nights):
    for path in nights.glob("*.txt"):
        path.unlink()
    rows = [f"n{n:02d}.wav\t2.0\t4.0\towl\n" for n in range(11)] + ["n11.wav\t\t\t\n"]
    (nights / "strong.tsv").write_text("filename\tonset\toffset\tevent_label\n" + "".join(rows))
    assert " clips cut from 12 recordings listed in strong.tsv; 1 label, 36 without one; " in line(
        nights
    )
    dataset = read(nights)
    assert {labels for *_, labels in spans(dataset, "n11.wav")} == {()}
    assert ("owl",) in [labels for *_, labels in spans(dataset, "n03.wav")]
    rows[4] = "n04.wav\t3.0\t14.0\towl\n"
    (nights / "strong.tsv").write_text("filename\tonset\toffset\tevent_label\n" + "".join(rows))
    with pytest.raises(LeanError, match=r"strong\.tsv, line 6: 14 s is beyond the end of 'n04"):
        read(nights)
