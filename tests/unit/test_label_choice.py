"""Labels as people want them: chosen by name, and the most specific of a branch."""

import numpy as np
import pytest

from lean_audio.cli.values import read_names
from lean_audio.cli.writers import Rows
from lean_audio.errors import LeanError
from lean_audio.tagger import Span, choose
from lean_audio.tagger.labels import ancestors_of

LABELS = ("Animal", "Dog", "Bark", "Domestic_animal", "Cat", "Rain")
PARENTS = {"Dog": ["Domestic_animal"], "Bark": ["Dog"], "Cat": ["Domestic_animal"]} | {
    "Domestic_animal": ["Animal"]
}
BARK = Span(0.0, 1.0, np.array([0.9, 0.8, 0.7, 0.85, 0.1, 0.3], np.float32))


def shown(span: Span = BARK, top=None, threshold=None, **choice) -> list[str]:
    own = np.full(len(LABELS), 0.5, np.float32)
    rows = Rows(choose(LABELS, PARENTS, **choice), own, top, threshold)
    return [label for label, _ in rows.of(span).scores]


def test_labels_are_included_and_excluded():
    assert shown(include=["Dog", "Rain"]) == ["Dog", "Rain"]
    assert shown(include=["dog", "domestic animal"]) == ["Domestic_animal", "Dog"]
    assert shown(exclude=["Animal", "Rain"]) == ["Domestic_animal", "Dog", "Bark", "Cat"]
    assert shown(include=["Dog", "Rain"], exclude=["Dog"]) == ["Rain"]
    assert shown(include=["Dog", "Rain"], threshold="auto") == ["Dog"]


def test_the_most_specific_label_of_a_branch_is_named():
    assert shown(leaves=True, threshold="auto") == ["Bark"]
    assert shown(leaves=True) == ["Bark", "Rain", "Cat"]
    assert shown(leaves=True, threshold=0.75) == ["Dog"]  # Bark is not called
    assert shown(leaves=True, top=1) == ["Bark"]
    assert shown(leaves=True, threshold="auto", exclude=["Bark", "Dog"]) == ["Domestic_animal"]
    both = Span(0.0, 1.0, np.array([0.9, 0.8, 0.7, 0.85, 0.6, 0.3], np.float32))
    assert shown(both, leaves=True, threshold="auto") == ["Bark", "Cat"]


def test_a_label_may_have_several_parents():
    parents = {"Bark": ["Dog", "Alarm"], "Dog": ["Animal"], "Alarm": ["Sound"]}
    assert ancestors_of("Bark", parents) == {"Dog", "Alarm", "Animal", "Sound"}
    assert ancestors_of("Animal", parents) == set()


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"include": ["Brak"]}, r"'Brak' is not one of the model's 6 labels \(near: Bark"),
        ({"exclude": ["xyzzy"]}, r"'xyzzy' is not one .* 6 labels \(Animal, .* and 1 more\)"),
        ({"include": ["Dog"], "exclude": ["dog"]}, "no label is left"),
        ({"include": [""]}, "'' is not one of"),
    ],
)
def test_names_that_are_no_labels(choice, says):
    with pytest.raises(LeanError, match=says):
        choose(LABELS, PARENTS, **choice)


@pytest.mark.parametrize("parents", [None, {}])
def test_a_model_without_hierarchy_has_no_leaves(parents):
    with pytest.raises(LeanError, match="the model has no hierarchy of labels"):
        choose(LABELS, parents, leaves=True)


def test_names_come_from_lists_and_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pets.txt").write_text("\ufeffDog\n\n  Cat \r\n", encoding="utf-8")
    (tmp_path / "Rain").write_text("Bark\n")  # a label, although there is such a file
    assert read_names(["pets.txt", "Rain", "Bark,Animal"], LABELS) == (
        *("Dog", "Cat", "Rain", "Bark", "Animal"),
    )
    assert read_names(["none.txt"], LABELS) == ("none.txt",)
    (tmp_path / "sound.wav").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(LeanError, match=r"sound.wav: not readable as a list of labels"):
        read_names(["sound.wav"], LABELS)
