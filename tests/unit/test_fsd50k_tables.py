"""A miniature of FSD50K, read from its archives: clips, licences, counts."""

import json
import shutil

import pytest
from fsd50k import has_zip, make_miniature, write_manifest
from helpers import ROOT, write_layout

from lean_audio.config.params import load_source
from lean_audio.datasets.fsd50k import disk_needed, read_archives
from lean_audio.datasets.layout import load_dataset, read_layout
from lean_audio.datasets.licences import add_licences, short_name
from lean_audio.errors import LeanError

CC = "http://creativecommons.org"
pytestmark = pytest.mark.skipif(not has_zip(), reason="no `zip` on the PATH to make archives with")


@pytest.fixture(scope="module")
def miniature(tmp_path_factory):
    return make_miniature(tmp_path_factory.mktemp("miniature"), clips=60)


@pytest.fixture
def settings(miniature):
    return load_source("fsd50k", ROOT).model_copy(update={"manifest": miniature.manifest})


def test_clips_in_archives_are_those_in_folders(miniature, settings):
    ours = read_archives(settings, miniature.folder)
    plain = read_layout(miniature.folder.parent / "sounds", name="", origin="", synthetic=False)
    assert ours.vocabulary == plain.vocabulary
    columns = ["clip", "split", "labels", "file", "licence", "uploader"]
    assert ours.clips[columns].equals(plain.clips[columns])
    assert ours.clips["checksum"].str.fullmatch("[0-9a-f]{8}").all()
    assert ours.clips["checksum"].nunique() == len(ours.clips) == 60
    assert set(ours.clips["licence"]) == {"CC0", "CC-BY", "CC-BY-NC"}
    assert ours.clips["uploader"].str.match("user[0-6]").all()


def test_only_clips_of_the_licences_asked_for_are_used(miniature, settings, tmp_path):
    chosen = settings.model_copy(update={"licences": ("CC0", "CC-BY")})
    dataset = read_archives(chosen, miniature.folder)
    everything = read_archives(settings, miniature.folder).clips
    expected = everything[everything["licence"] != "CC-BY-NC"]
    assert 0 < len(expected) < len(everything)
    assert dataset.clips["clip"].tolist() == expected["clip"].tolist()
    assert dataset.licence_filter == ("CC0", "CC-BY")
    assert f"{len(expected)} of 60 clips, chosen by licence" in dataset.origin
    dataset.save(tmp_path)
    loaded = load_dataset(tmp_path)
    assert loaded.licence_filter == ("CC0", "CC-BY")
    assert loaded.clips["uploader"].tolist() == expected["uploader"].tolist()


def test_a_filter_that_leaves_nothing_is_one_sentence(miniature, settings):
    chosen = settings.model_copy(update={"licences": ("CC-Sampling+",)})
    with pytest.raises(LeanError, match=r"CC-Sampling\+: no clips in train, val, eval"):
        read_archives(chosen, miniature.folder)


def test_other_counts_than_published_are_reported(miniature, settings, tmp_path):
    counts = {**miniature.counts, "val": 4170}
    write_manifest(miniature.folder, tmp_path / "other.yaml", counts, classes=200)
    wrong = settings.model_copy(update={"manifest": tmp_path / "other.yaml"})
    found = f"{miniature.counts['val']} val, {miniature.classes} classes"
    with pytest.raises(LeanError, match=rf"has {found}; .*other\.yaml says .* 4170 val,.* 200 cl"):
        read_archives(wrong, miniature.folder)


def test_what_is_needed_on_disk_is_less_by_what_is_there(miniature, settings, tmp_path):
    total = sum(path.stat().st_size for path in miniature.folder.iterdir())
    raw = tmp_path / "raw"
    assert disk_needed(settings, raw) == (total, total + round(1.88 * total))
    shutil.copytree(miniature.folder, raw)
    assert disk_needed(settings, raw) == (0, round(1.88 * total))
    (tmp_path / "audio").mkdir()
    assert disk_needed(settings, raw) == (0, round(0.86 * total))


def test_a_damaged_table_in_an_archive_is_one_sentence(miniature, settings, tmp_path):
    raw = shutil.copytree(miniature.folder, tmp_path / "raw")
    archive = raw / "FSD50K.ground_truth.zip"
    content = bytearray(archive.read_bytes())
    content[content.find(b"vocabulary.csv") + 200] ^= 255
    archive.write_bytes(content)
    with pytest.raises(LeanError, match=r"ground_truth.zip/.*vocabulary.csv: damaged in its"):
        read_archives(settings, raw)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"{CC}/publicdomain/zero/1.0/", "CC0"),
        (f"{CC}/licenses/by/4.0/", "CC-BY"),
        (f"{CC}/licenses/by-nc/3.0/", "CC-BY-NC"),
        (f"{CC}/licenses/sampling+/1.0/", "CC-Sampling+"),
        ("Ask me", "Ask me"),
    ],
)
def test_licences_have_short_names(url, name):
    assert short_name(url) == name


def test_sounds_without_metadata_have_no_licence(tmp_path):
    root = write_layout(
        tmp_path, {"a": ("train", "Dog"), "b": ("val", "Dog"), "c": ("eval", "Dog")}
    )
    clips = read_layout(root, name="", origin="", synthetic=False).clips
    assert clips["licence"].tolist() == clips["uploader"].tolist() == ["", "", ""]
    (root / "FSD50K.metadata").mkdir()
    metadata = root / "FSD50K.metadata" / "dev_clips_info_FSD50K.json"
    metadata.write_text(json.dumps({"a": {"license": f"{CC}/licenses/by/3.0/", "uploader": "u"}}))
    assert add_licences(clips, root)["licence"].tolist() == ["CC-BY", "", ""]
    metadata.write_text(json.dumps({"a": {"uploader": "u"}}))
    with pytest.raises(LeanError, match=r"dev_clips_info_FSD50K\.json: not a licence"):
        add_licences(clips, root)
