"""`make tagger`: which files of settings it writes, and what it refuses."""

import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import ROOT
from own_sounds import write_sounds
from ruamel.yaml import YAML

from lean_audio.config.datasets import Folder
from lean_audio.config.params import Params, load_params, load_source
from lean_audio.errors import LeanError
from tools import tagger


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch) -> Path:
    """The settings in a directory of their own, beside a directory of sounds."""
    root = tmp_path / "lean"
    shutil.copytree(ROOT / "datasets", root / "datasets")
    for name in ("params.yaml", "models.yaml"):
        shutil.copy(ROOT / name, root)
    write_sounds(tmp_path / "Night birds (2026)", ["owl/a.wav", "wind/b.wav"])
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(root)
    return root


def own(params: Params) -> Folder:
    assert isinstance(params.source, Folder)
    return params.source


def test_a_directory_becomes_a_set_of_its_own_that_is_selected(tmp_path, capsys):
    sounds = tmp_path / "Night birds (2026)"
    tagger.main(str(sounds))
    params = load_params()
    assert (params.dataset, params.shown, params.variants) == (
        *("Night-birds-2026", "plus", ("plus",)),
    )
    assert own(params).root == sounds
    assert own(params).splits == own_template().splits
    pipeline = YAML(typ="safe").load(Path("datasets/Night-birds-2026/dvc.yaml").read_text())
    assert pipeline["vars"] == [{"name": "Night-birds-2026"}]
    assert capsys.readouterr().out == (
        f"Night-birds-2026: plus on {sounds}; YAMNet: auto; "
        "settings datasets/Night-birds-2026/params.yaml (new); params.yaml now selects it\n"
    )


def test_a_directory_of_the_same_name_elsewhere_gets_a_number(tmp_path):
    for place in ("a", "b"):
        write_sounds(tmp_path / place / "N\u00e4chte", ["owl/a.wav", "wind/b.wav"])
        tagger.main(str(tmp_path / place / "N\u00e4chte"))
    assert load_params().dataset == "Nachte-2"
    tagger.main(str(tmp_path / "a" / "N\u00e4chte"))
    assert load_params().dataset == "Nachte"


def own_template() -> Folder:
    source = load_source("sounds")
    assert isinstance(source, Folder)
    return source


def test_comments_stay(tmp_path):
    before = Path("params.yaml").read_text().splitlines()
    tagger.main(str(tmp_path / "Night birds (2026)"), name="night")
    after = Path("params.yaml").read_text().splitlines()
    lost = [line for line in before if "#" in line and line not in after]
    assert [line.split(":")[0] for line in lost] == ["dataset", "headline"]
    comments = [line.split("#")[1] for line in after if line.startswith(("dataset", "headline"))]
    assert comments == [line.split("#")[1] for line in lost]


def test_settings_of_a_set_that_is_there_are_kept(tmp_path):
    sounds = tmp_path / "Night birds (2026)"
    tagger.main(str(sounds), name="night")
    path = Path("datasets/night/params.yaml")
    path.write_text(path.read_text().replace("split_seed: 1", "split_seed: 9"))
    tagger.main(str(sounds), name="night", model="yamnet-projection")
    assert own(load_params()).split_seed == 9
    assert load_params().shown == "yamnet-projection"


def test_yamnet_is_written_if_given(tmp_path):
    (tmp_path / "yamnet").mkdir()
    (tmp_path / "yamnet" / "saved_model.pb").touch()
    tagger.main(str(tmp_path / "Night birds (2026)"), name="night", yamnet=str(tmp_path / "yamnet"))
    assert load_params().yamnet.source == str(tmp_path / "yamnet")
    tagger.main(str(tmp_path / "Night birds (2026)"), name="night")
    assert load_params().yamnet.source == str(tmp_path / "yamnet")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sounds": ""}, "SOUNDS is not set: make tagger SOUNDS=/my/clips"),
        ({"sounds": "../empty", "name": ""}, "../empty: no sound in this directory"),
        ({"sounds": "nowhere"}, "SOUNDS: 'nowhere' is not a directory"),
        ({"name": "a/b"}, "NAME: 'a/b' cannot name a set of sounds: letters, digits, "),
        ({"name": "demo"}, "NAME: datasets/demo/params.yaml is of demo, not of "),
        ({"name": "sounds"}, "NAME: datasets/sounds/params.yaml is of /"),
        ({"model": "lean"}, "model: 'lean' is not one of yamnet, "),
        ({"yamnet": "nowhere"}, "YAMNET: 'nowhere' is not a SavedModel: it has no saved_model.pb"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(project, changes, sentence):
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    with pytest.raises(LeanError) as error:
        tagger.main(**{"sounds": "../Night birds (2026)", "name": "night"} | changes)
    assert str(error.value).startswith(sentence)
    assert before == {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}


def test_make_passes_any_path_on_as_it_is(project):
    odd = '/my/it\'s "a" `id` $HOME $(x) ${y} #1, & Größe'
    shutil.copy(ROOT / "Makefile", project)
    (project / ".venv" / "bin").mkdir(parents=True)
    for name, script in {"python": 'printf "%s\\n" "$@"', "dvc": "exit"}.items():
        (project / ".venv" / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (project / ".venv" / "bin" / name).chmod(0o755)
    command = [
        "make",
        "--no-print-directory",
        "--assume-old=setup",
        "tagger",
        f"SOUNDS={odd}",
        f"YAMNET={odd}/yamnet",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = ["-m", "tools.tagger", "--sounds", odd, "--name", "", "--yamnet", f"{odd}/yamnet"]
    assert said.splitlines()[: len(lines)] == lines
