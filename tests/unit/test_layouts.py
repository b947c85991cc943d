"""Layouts of one's own sounds: what is recognised, how it is read, and what is refused."""

import shutil
import unicodedata

import pytest
from own_sounds import column, line, read, read_own_sounds, settings, write_sounds

from lean_audio.datasets.folder import check_learnable
from lean_audio.datasets.layout import load_dataset, read_layout
from lean_audio.datasets.tables import read_table
from lean_audio.errors import BadInputError, LeanError

TREE = [f"{label}/{number}.wav" for label in ("cat", "dog", "owl") for number in range(6)]


def write_table(root, text, name="labels.csv", encoding="utf-8"):
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_bytes(text.encode(encoding))
    return root


def rows(separator=",", end="\n", header=("file", "label", "split")):
    """A table of the clips 0 to 5 with labels and splits."""
    splits = ["train", "train", "val", "val", "eval", "eval"]
    lines = [(f"{n}.wav", "cat" if n % 2 else "dog", split) for n, split in enumerate(splits)]
    return end.join(separator.join(fields) for fields in (header, *lines)) + end


@pytest.fixture
def flat(tmp_path):
    return write_sounds(tmp_path / "clips", [f"{number}.wav" for number in range(6)])


def test_a_folder_per_label(tmp_path):
    root = write_sounds(tmp_path, TREE)
    dataset, said = read_own_sounds(settings(root))
    assert dataset.vocabulary == ("cat", "dog", "owl")
    assert column(dataset, "labels")["cat/0"] == ("cat",)
    assert said.startswith("18 clips in 3 folders, one label per folder; 3 labels; ")
    assert said.endswith(" eval (split here)")
    assert set(dataset.clips["split"]) == {"train", "val", "eval"}


def test_folders_in_folders_give_all_their_labels_and_backgrounds_none(tmp_path):
    files = [f"Animal/Dog/d{n}.wav" for n in range(4)] + [f"Animal/a{n}.flac" for n in range(3)]
    files += ["_background_noise_/n.wav", "Silence/s.wav", "Animal/negative/q.wav"]
    labels = column(read(write_sounds(tmp_path, files)), "labels")
    assert labels["d0"] == ("Animal", "Dog")
    assert labels["a0"] == ("Animal",)
    assert labels["n"] == labels["s"] == labels["q"] == ()


def test_clips_that_all_have_one_label_are_refused(tmp_path):
    alike = read(write_sounds(tmp_path / "a", [f"dog/{n}.wav" for n in range(12)]))
    with pytest.raises(BadInputError, match=r"all 12 clips have the same labels \(dog\), so"):
        check_learnable(alike)
    names = [f"{label}/{n}.wav" for label in ("dog", "background") for n in range(6)]
    check_learnable(read(write_sounds(tmp_path / "b", names)))


def test_folders_named_after_splits_are_splits(tmp_path):
    tops = {"Train": "train", "validation": "val", "test": "eval"}
    root = write_sounds(tmp_path, [f"{top}/dog/{top}{n}.wav" for top in tops for n in range(2)])
    dataset, said = read_own_sounds(settings(root))
    assert dataset.vocabulary == ("dog",)
    assert column(dataset, "split") == {f"{top}{n}": tops[top] for top in tops for n in range(2)}
    assert said.endswith("; 2 train, 2 val, 2 eval")


def test_a_missing_split_is_taken_from_training(tmp_path):
    root = write_sounds(
        tmp_path, [f"{top}/d/{top}{n}.wav" for top in ("train", "test") for n in range(5)]
    )
    splits = column(read(root), "split")
    assert all(splits[f"test{n}"] == "eval" for n in range(5))
    assert {splits[f"train{n}"] for n in range(5)} == {"train", "val"}


def test_without_training_clips_there_is_no_training(tmp_path):
    root = write_sounds(
        tmp_path, [f"{top}/d/{top}{n}.wav" for top in ("val", "test") for n in "ab"]
    )
    with pytest.raises(LeanError, match="no clips in train; each split needs at least one"):
        read(root)


def test_trains_may_be_a_label_among_others(tmp_path):
    root = write_sounds(
        tmp_path, [f"{label}/{n}.wav" for label in ("train", "car") for n in range(4)]
    )
    assert read(root).vocabulary == ("car", "train")


def test_a_folder_around_the_labels_is_named(tmp_path, capsys):
    read(write_sounds(tmp_path, [f"ESC-50-master/{file}" for file in TREE]))
    assert "all sounds are in 'ESC-50-master'; if that is no label" in capsys.readouterr().err


def test_one_label_and_negatives_beside_notes(tmp_path, capsys):
    root = write_sounds(
        tmp_path, [f"{top}/{n}.wav" for top in ("dog", "silence") for n in range(6)]
    )
    write_table(root, "tape,place\n1,yard\n", "notes.csv")
    assert read(root).vocabulary == ("dog",)
    assert "nothing to learn" not in capsys.readouterr().err


def test_only_sounds_count(tmp_path):
    root = write_sounds(tmp_path, TREE)
    for name in ("cat/._0.wav", "cat/.DS_Store", ".cache/x.wav", "dog/0.txt", "__MACOSX/cat/0.wav"):
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_bytes(b"\0")
    assert len(read(root).clips) == 18


def test_formats_that_are_not_read_are_counted(tmp_path, capsys):
    root = write_sounds(tmp_path, TREE)
    (root / "cat" / "x.m4a").write_bytes(b"")
    read(root)
    assert "warning: in a format that is not read: 1 file (cat/x.m4a)" in capsys.readouterr().err


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path):
    elsewhere = write_sounds(tmp_path / "elsewhere", [f"{n}.wav" for n in range(4)])
    root = write_sounds(tmp_path / "clips", TREE)
    (root / "wolf").symlink_to(elsewhere)
    (root / "cat" / "again").symlink_to(root)
    assert read(root).vocabulary == ("cat", "dog", "owl", "wolf")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_however_it_was_saved(tmp_path, separator, end, encoding):
    (tmp_path / "t.csv").write_bytes(rows(separator, end).encode(encoding))
    table = read_table(tmp_path / "t.csv")
    assert list(table) == ["file", "label", "split"]
    assert table.index.tolist() == [2, 3, 4, 5, 6, 7]
    assert table["label"].tolist() == ["dog", "cat"] * 3


def test_a_table_of_files_and_labels(flat):
    write_table(flat, rows())
    dataset, said = read_own_sounds(settings(flat))
    assert column(dataset, "split")["2"] == "val"
    assert column(dataset, "labels")["1"] == ("cat",)
    assert said == "6 clips listed in labels.csv; 2 labels; 2 train, 2 val, 2 eval"


@pytest.mark.parametrize(
    "header",
    [
        ("filename", "category", "Split"),
        ("fname", "labels", "SPLIT "),
        ("Path", "Class", "split"),
        ("slice_file_name", "tags", "split"),
        ("File Name", "LABEL", "split"),
    ],
)
def test_columns_are_found_by_usual_names(flat, header):
    write_table(flat, rows(";", "\r\n", header), "any.tsv", "utf-8-sig")
    assert column(read(flat), "split")["5"] == "eval"


def test_columns_may_be_named(flat):
    write_table(flat, rows(header=("ton", "Tier art", "split")))
    named = {"file_column": "ton", "label_column": "Tier art"}
    assert read(flat, **named).vocabulary == ("cat", "dog")
    message = (
        r"none of its columns \(ton, tier_art, split\) is known .*file_column in datasets/<name>"
    )
    with pytest.raises(LeanError, match=message):
        read(flat)


@pytest.mark.parametrize("labels", ["cat,dog", "cat;dog", "cat|dog", " cat | dog ", "cat, cat,dog"])
def test_labels_of_a_field(flat, labels):
    write_table(flat, rows("\t").replace("0.wav\tdog", f"0.wav\t{labels}"))
    assert column(read(flat), "labels")["0"] == ("cat", "dog")


@pytest.mark.parametrize("label", ["None", "NA", "null", "nan", "1.0", "007", "True"])
def test_labels_are_text(flat, tmp_path, label):
    write_table(flat, rows().replace("dog", label))
    read(flat).save(tmp_path / "saved")
    dataset = load_dataset(tmp_path / "saved")
    assert dataset.vocabulary == tuple(sorted(("cat", label)))
    assert column(dataset, "labels")["0"] == (label,)


def test_accents_and_space_do_not_make_two_labels(flat):
    nfd = unicodedata.normalize("NFD", "Möwe")
    text = rows().replace("dog", "Möwe").replace("0.wav,Möwe", f"0.wav,{nfd} \u00a0")
    assert read(write_table(flat, text)).vocabulary == ("Möwe", "cat")


def test_files_are_found_by_path_name_or_stem(tmp_path):
    nfd = unicodedata.normalize("NFD", "käuzchen.wav")
    files = ["a/x.wav", "a/y.wav", "b/x.wav", f"b/{nfd}", "b/deep er/z (1).wav", "c#,.flac"]
    root = write_sounds(tmp_path, files)
    names = ["a/x.wav", "y", "b\\x", "käuzchen.wav", "z (1)", '"c#,.flac"']
    labels = ["dog", "cat"] * 3
    text = "".join(f"{name},{label}\n" for name, label in zip(names, labels, strict=True))
    dataset = read(write_table(root, f"file,label\n{text}"))
    assert sorted(dataset.clips["file"]) == sorted(files)
    assert "a/x" in set(dataset.clips["clip"])  # stems are not unique


def test_rows_of_one_file_are_one_clip(flat, capsys):
    write_table(flat, rows() + "0.wav,owl,train\n")
    assert column(read(flat), "labels")["0"] == ("dog", "owl")
    assert "more than once in labels.csv, labels joined: 1 file (0.wav)" in capsys.readouterr().err


def test_licence_uploader_and_group_are_kept(flat, tmp_path):
    text = "file;label;split;License;uploader;group\n" + "".join(
        f"{n}.wav;dog;{split};http://creativecommons.org/licenses/by/4.0/;me;g{n}\n"
        for n, split in enumerate(["train", "train", "val", "val", "eval", "eval"])
    )
    clips = read(write_table(flat, text)).clips
    assert clips["licence"].tolist() == ["CC-BY"] * 6
    assert clips["uploader"].tolist() == ["me"] * 6
    assert clips["group"].tolist() == [f"g{n}" for n in range(6)]


def test_esc_50_as_published(tmp_path):
    files = [f"{fold}-{n}-A-0.wav" for fold in range(1, 6) for n in range(4)]
    root = write_sounds(tmp_path, [f"audio/{file}" for file in files])
    text = "filename,fold,target,category,esc10,src_file,take\n" + "".join(
        f"{file},{file[0]},0,{'dog' if file[2] in '02' else 'rain'},True,{file[:3]},A\n"
        for file in files
    )
    write_table(root, text, "meta/esc50.csv")
    said = line(root, eval_folds=[5])
    assert said.startswith("20 clips listed in meta/esc50.csv; 2 labels; ")
    splits = column(read(root, eval_folds=[5]), "split")
    assert [clip for clip in splits if splits[clip] == "eval"] == [f"5-{n}-A-0" for n in range(4)]
    assert set(splits.values()) == {"train", "val", "eval"}
    with pytest.raises(LeanError, match=r"eval_folds: '6' is not one of its folds: 1, 2, 3, 4, 5"):
        read(root, eval_folds=[6])


def test_folds_with_decimals_are_folds(flat):
    rows_ = [f"{n}.wav,{'cat' if n % 2 else 'dog'},{n // 2 + 1}.0\n" for n in range(6)]
    write_table(flat, "file,label,fold\n" + "".join(rows_))
    splits = column(read(flat, eval_folds=[3]), "split")
    assert [clip for clip in splits if splits[clip] == "eval"] == ["4", "5"]


def test_urbansound8k_as_published(tmp_path):
    names = {f"{n}-{n % 2}-0-0.wav": n % 5 + 1 for n in range(20)}
    root = write_sounds(tmp_path, [f"audio/fold{fold}/{name}" for name, fold in names.items()])
    write_sounds(root, ["audio/fold3/0-0-0-0.wav"])  # the same name in another fold
    text = "slice_file_name,fsID,start,end,salience,fold,classID,class\n" + "".join(
        f"{name},{name[:2]},0.0,4.0,1,{fold},{name[2]},{'siren' if n % 2 else 'drilling'}\n"
        for n, (name, fold) in enumerate(names.items())
    )
    write_table(root, text, "metadata/UrbanSound8K.csv")
    dataset = read(root, eval_folds=["1"])
    files = set(dataset.clips.loc[dataset.clips["split"] == "eval", "file"])
    assert files == {f"audio/fold1/{name}" for name, fold in names.items() if fold == 1}
    assert dataset.vocabulary == ("drilling", "siren")


def test_the_list_of_clips_can_be_given_back(tmp_path):
    root = write_sounds(tmp_path / "clips", TREE)
    before = read(root)
    before.save(tmp_path / "saved")
    shutil.copy(tmp_path / "saved" / "clips.csv", root)
    again, said = read_own_sounds(settings(root, split_seed=9))
    assert again.clips.to_dict("list") == before.clips.to_dict("list")
    assert "listed in clips.csv" in said and "split here" not in said


def test_fsd50k_layout_is_read_as_before(layout, tmp_path):
    dataset, said = read_own_sounds(settings(layout))
    old = read_layout(layout, name="sounds", origin=dataset.origin, synthetic=False)
    assert dataset.clips.to_dict("list") == old.clips.to_dict("list")
    assert dataset.origin == "the directory 'sounds' in FSD50K layout"
    assert said == "4 clips in FSD50K layout; 2 labels; 2 train, 1 val, 1 eval"


@pytest.mark.parametrize(
    ("table", "old", "new"),
    [
        ("dev.csv", "fname,labels,split\n", "\ufeffFname,Labels,SPLIT\n"),
        ("dev.csv", "b,Dog,train", "b.wav,Dog,Training "),
        ("dev.csv", "b,Dog,train", "b, Dog , train"),
        ("vocabulary.csv", "1,Dog", "1, Dog "),
        ("eval.csv", 'd,"Bark,Dog"', 'd;"Bark,Dog"'),
    ],
)
def test_fsd50k_tables_saved_by_other_programs(layout, table, old, new):
    before = read(layout).clips.to_dict("list")
    path = layout / "FSD50K.ground_truth" / table
    text = path.read_text()
    assert old in text
    text = text.replace(old, new)
    path.write_text(text.replace("fname,labels", "fname;labels") if "d;" in new else text)
    (layout / "FSD50K.dev_audio" / "a.txt").write_text("0.0\t0.5\tDog\n")
    (layout / "FSD50K.dev_audio" / "._a.wav").write_bytes(b"\0")
    assert read(layout).clips.to_dict("list") == before


def test_fsd50k_layout_without_validation_clips(layout):
    dev = layout / "FSD50K.ground_truth" / "dev.csv"
    dev.write_text('fname,labels\na,"Bark,Dog"\nb,Dog\nc,"Bark,Dog"\n')
    splits = column(read(layout), "split")
    assert splits["d"] == "eval"
    assert {splits[clip] for clip in "abc"} == {"train", "val"}


FAULTS = {  # what is changed -> what the sentence names
    "no sound": (["README.md"], None, ["no sound in this directory", "one folder per label"]),
    "no labels": (
        ["0.wav", "1.wav"],
        None,
        ["2 sounds, but no folders of labels", "one folder"],
    ),
    "only m4a": (["cat/a.m4a"], None, ["not read (.m4a): 1 file", "ffmpeg"]),
    "loose": ([*TREE, "x.wav"], None, ["'x.wav' lies beside", "background"]),
    "mixed": (
        ["train/cat/0.wav", "test/cat/1.wav", "dog/2.wav"],
        None,
        ["'test', 'train'", "look like splits", "'dog'"],
    ),
    "fsd50k": (["FSD50K.dev_audio/0.wav"], None, ["vocabulary.csv is missing", "FSD50K's layout"]),
    "line break": (["cat/a\nb.wav"], None, ["'cat/a\\nb.wav'", "rename it"]),
    "bytes": (["c\udce9/0.wav"], None, ["'c\\udce9/0.wav'", "UTF-8; rename it"]),
    "comma": (["cats, dogs/0.wav"], None, ["'cats, dogs' has a comma"]),
    "bar": (["cat|dog/0.wav"], None, ["'cat|dog' has '|', which separates labels"]),
    "blank": ([" /0.wav", "dog/1.wav"], None, ["' /0.wav'", "no name that could be a label"]),
    "only splits": (["train/0.wav", "test/1.wav"], None, ["'test', 'train' are splits", "label"]),
    "no rows": (["0.wav"], "file,label\n", ["labels.csv has a header, but no rows"]),
    "only negatives": (["background/0.wav", "silence/1.wav"], None, ["no clip has a label"]),
    "few": (["cat/0.wav", "cat/1.wav"], None, ["2 groups of labelled clips", "train and val and"]),
    "no file": (["0.wav"], "file,label\n0.wav,a\nO1.wav,b\n", ["line 3: no file 'O1.wav'"]),
    "nearest": (["Dog1.WAV"], "file,label\ndog1.wav,a\n", ["line 2", "nearest is 'Dog1.WAV'"]),
    "unnamed": (["0.wav"], "file,label\n0.wav,a\n,b\n", ["line 3: names no file"]),
    "two": (["a/x.wav", "b/x.wav"], "file,label\nx,a\n", ["line 2: 'x' may be 'a/x.wav' or"]),
    "two suffixes": (["x.wav", "x.flac"], "file,label\nx,a\n", ["line 2: 'x' may be 'x.flac' or"]),
    "empty": (["0.wav"], "file,label\n0.wav,\n", ["column 'label' is empty in all 1 rows"]),
    "split": (["0.wav"], "file,label,split\n0.wav,a,dev\n", ["line 2: split 'dev'", "train, val"]),
    "fields": (["0.wav"], "file,label\n0.wav,a,b\n", ["line 2", "quote labels with commas"]),
    "quote": (["0.wav"], 'file,label\n0.wav,"a\n', ["line 2", "not a CSV"]),
    "latin": (["0.wav"], b"file,label\n0.wav,K\xe4uzchen\n", ["line 2", "UTF-8"]),
    "header": (["0.wav"], "file,label,label\n", ["more than one column 'label'"]),
    "outside": (["0.wav"], "file,label\n/other/0.wav,a\n", ["line 2: no file '/other/0.wav'"]),
    "conflict": (
        ["0.wav"],
        "file,label,split\n0.wav,a,train\n0.wav,b,eval\n",
        ["lines 2, 3: '0.wav' has more than one split or group"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_one_sentence_with_file_line_and_value(tmp_path, fault):
    files, table, named = FAULTS[fault]
    write_sounds(tmp_path, [file for file in files if not file.endswith((".md", ".m4a"))])
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    if table:
        content = table if isinstance(table, bytes) else table.encode()
        (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(LeanError) as error:
        read(tmp_path)
    message = str(error.value)
    assert "\n" not in message
    assert [part for part in named if part not in message] == [], message


def test_several_tables_that_fit_must_be_told_apart(flat):
    for name in ("a.csv", "b.tsv"):
        write_table(flat, rows(), name)
    with pytest.raises(LeanError, match=r"a\.csv, b\.tsv all list .*table in datasets/<name>"):
        read(flat)
    assert len(read(flat, table="b.tsv").clips) == 6
    with pytest.raises(LeanError, match=r"params\.yaml: table: '\.\./x\.csv' is not a file in"):
        read(flat, table="../x.csv")


@pytest.mark.parametrize(
    ("name", "value"),
    [("file_column", "x"), ("label_column", "x"), ("group_column", "x"), ("eval_folds", ["x"])],
)
def test_settings_of_a_table_need_one(tmp_path, layout, name, value):
    for root in (write_sounds(tmp_path / "tree", TREE), layout):
        with pytest.raises(LeanError, match=rf"params\.yaml: {name}: 'x' needs a table"):
            read(root, **{name: value})


def test_a_table_that_is_not_understood_is_named(tmp_path, capsys):
    root = write_sounds(tmp_path, [f"audio/{n}.wav" for n in range(9)])
    write_table(root, "tape,species\n1,owl\n", "birds.csv")
    message = r"'audio', and birds\.csv does not list them: none of its columns \(tape, species\)"
    with pytest.raises(LeanError, match=message):
        read(root)
    read(write_sounds(root, TREE))
    assert "warning: birds.csv does not list them" in capsys.readouterr().err
    with pytest.raises(LeanError, match=r"file_column: 'ton' needs .*birds\.csv does not list"):
        read(root, file_column="ton")
    with pytest.raises(LeanError, match=r"label_column: 'ton' is not one of its columns \(tape"):
        read(root, table="birds.csv", file_column="tape", label_column="ton")


def test_folds_that_nobody_uses_are_named(flat, capsys):
    write_table(flat, rows(header=("file", "label", "fold")))
    read(flat)
    assert "warning: not used: fold of labels.csv" in capsys.readouterr().err
    write_table(flat, rows().replace("split", "split,onset"))
    read(flat)
    assert "warning: not used: onset of labels.csv" in capsys.readouterr().err
    with pytest.raises(LeanError, match=r"has a column split: eval_folds in .* must be empty"):
        read(flat, eval_folds=[1])


def test_any_path_of_a_directory(tmp_path):
    root = write_sounds(tmp_path / "Größe (1), #2", TREE)
    assert len(read(root).clips) == 18


def test_the_home_directory_is_meant_by_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_sounds(tmp_path / "sounds", TREE)
    assert len(read("~/sounds").clips) == 18


def test_a_temporary_workspace_says_why_it_has_no_sounds(tmp_path, monkeypatch):
    workspace = tmp_path / ".dvc" / "tmp" / "exps" / "x"
    (workspace / "sounds").mkdir(parents=True)
    monkeypatch.chdir(workspace)
    with pytest.raises(LeanError, match=r"temporary workspace; set root in .* to an absolute path"):
        read(workspace / "sounds")
