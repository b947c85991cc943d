"""A directory in FSD50K layout: what is read, and what is refused in one sentence."""

import shutil

import pytest

from lean_audio.datasets.layout import Dataset, load_dataset, read_layout
from lean_audio.errors import LeanError


def read(root) -> Dataset:
    return read_layout(root, name="sounds", origin="a test", synthetic=False)


def test_clips_come_sorted_by_split_with_labels_file_and_hash(layout):
    dataset = read(layout)
    assert dataset.vocabulary == ("Bark", "Dog")
    assert dataset.clips["clip"].tolist() == ["a", "b", "c", "d"]
    assert dataset.clips["split"].tolist() == ["train", "train", "val", "eval"]
    assert dataset.clips["labels"].tolist() == [("Bark", "Dog"), ("Dog",), ("Bark", "Dog")] + [
        ("Bark", "Dog")
    ]
    assert dataset.clips["file"].tolist()[-1] == "FSD50K.eval_audio/d.wav"
    assert dataset.clips["checksum"].nunique() == 4


def test_saved_and_loaded_is_the_same(layout, tmp_path):
    dataset = read(layout)
    dataset.save(tmp_path / "clips")
    loaded = load_dataset(tmp_path / "clips")
    assert loaded.vocabulary == dataset.vocabulary
    assert (loaded.name, loaded.origin, loaded.synthetic) == ("sounds", "a test", False)
    assert loaded.clips.to_dict("list") == dataset.clips.to_dict("list")


def test_files_are_found_whatever_their_suffix(layout):
    clip = layout / "FSD50K.dev_audio" / "a.wav"
    clip.rename(clip.with_suffix(".flac"))
    assert read(layout).clips["file"][0] == "FSD50K.dev_audio/a.flac"


def test_changed_content_changes_the_hash(layout):
    before = read(layout).clips["checksum"][0]
    clip = layout / "FSD50K.dev_audio" / "a.wav"
    clip.write_bytes(clip.read_bytes() + b"x")
    assert read(layout).clips["checksum"][0] != before


def rewrite(name: str, old: str, new: str):
    def apply(root):
        path = root / "FSD50K.ground_truth" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return apply


def remove(name: str):
    return lambda root: (root / name).unlink()


def copy(source: str, target: str):
    return lambda root: shutil.copy(root / source, root / target)


@pytest.mark.parametrize(
    ("break_it", "named"),
    [
        (remove("FSD50K.ground_truth/dev.csv"), ["dev.csv", "missing"]),
        (remove("FSD50K.ground_truth/eval.csv"), ["eval.csv", "missing"]),
        (remove("FSD50K.ground_truth/vocabulary.csv"), ["vocabulary.csv", "missing"]),
        (rewrite("dev.csv", "fname,labels,split", "fname,label,split"), ["dev.csv", "labels"]),
        (rewrite("dev.csv", ",train", ",trial"), ["dev.csv, line 2", "'trial'", "train, val"]),
        (rewrite("dev.csv", "b,Dog", "b,Cat"), ["'Cat'", "vocabulary.csv"]),
        (rewrite("vocabulary.csv", "1,Dog", '1,"Dog, big"'), ["'Dog, big'", "comma"]),
        (
            rewrite("vocabulary.csv", "1,Dog", "1,Bark"),
            ["vocabulary.csv", "Bark", "more than once"],
        ),
        (rewrite("vocabulary.csv", "1,Dog", "2,Dog"), ["vocabulary.csv", "0, 1, 2"]),
        (rewrite("vocabulary.csv", "0,Bark,/m/05tny_\n1,Dog,/m/0bt9lr\n", ""), ["not a CSV"]),
        (rewrite("dev.csv", "b,Dog", "a,Dog"), ["more than once", "a"]),
        (rewrite("eval.csv", "d,", "a,"), ["no file for a"]),
        (rewrite("dev.csv", ",val", ",train"), ["no clips in val"]),
        (rewrite("eval.csv", '"Bark,Dog"', ""), ["no clip in eval has a label"]),
        (rewrite("dev.csv", '"', ""), ["dev.csv", "quote labels"]),
        (remove("FSD50K.dev_audio/b.wav"), ["no file for b", "dev.csv"]),
        (copy("FSD50K.dev_audio/a.wav", "FSD50K.dev_audio/a.ogg"), ["more than one file", "a"]),
    ],
)
def test_faults_are_named_in_one_sentence(layout, break_it, named):
    break_it(layout)
    with pytest.raises(LeanError) as error:
        read(layout)
    message = str(error.value)
    assert "\n" not in message
    assert all(part in message for part in named)
