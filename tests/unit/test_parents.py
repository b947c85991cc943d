"""Hierarchies of labels: what is added to clips, from folders and from a table."""

import pytest
from own_sounds import column, read, write_noise, write_sounds

from lean_audio.datasets.layout import load_dataset
from lean_audio.datasets.parents import ancestors
from lean_audio.errors import LeanError

ANIMALS = "child,parent\nDog,Pet\nDog,Canine\nPet,Animal\nCanine,Animal\nOwl,Bird\nTrain,Vehicle\n"


@pytest.fixture
def pets(tmp_path):
    """A folder of dogs and one of owls."""
    return write_sounds(tmp_path, [f"{top}/{n}.wav" for top in ("Dog", "Owl") for n in range(6)])


def test_all_ancestors_each_once_and_the_nearest_first():
    parents = {"Dog": ["Pet", "Canine"], "Pet": ["Animal"], "Canine": ["Animal"]}
    assert ancestors(parents, "")["Dog"] == ("Pet", "Animal", "Canine")


@pytest.mark.parametrize(
    ("parents", "circle"),
    [({"a": ["a"]}, "a > a"), ({"x": ["a"], "a": ["b"], "b": ["c"], "c": ["a"]}, "a > b > c > a")],
)
def test_a_label_above_itself_is_refused(parents, circle):
    with pytest.raises(LeanError, match=f"^there: a label is above itself: {circle}$"):
        ancestors(parents, "there")


def test_a_table_of_parents_for_folders(pets):
    (pets / "parents.csv").write_text(ANIMALS)
    dataset = read(pets, propagate=True)
    assert dataset.vocabulary == ("Animal", "Bird", "Canine", "Dog", "Owl", "Pet")
    labels = column(dataset, "labels")
    assert labels["Dog/0"] == ("Dog", "Pet", "Animal", "Canine")
    assert labels["Owl/0"] == ("Owl", "Bird")


def test_a_table_of_parents_is_not_used_unasked(pets, capsys):
    (pets / "parents.csv").write_text(ANIMALS)
    assert read(pets).vocabulary == ("Dog", "Owl")
    assert (
        "not used: parents.csv; set propagate in datasets/<name>/params.yaml to true"
        in capsys.readouterr().err
    )


def test_a_table_of_parents_for_a_table(pets):
    rows = [f"{top}/{n}.wav;{top}\n" for top in ("Dog", "Owl") for n in range(6)]
    (pets / "clips.csv").write_text("file;label\n" + "".join(rows))
    (pets / "meta").mkdir()
    (pets / "meta" / "ontology.tsv").write_text("Child\tParent\nDog\tAnimal\n")
    dataset = read(pets, propagate=True, parents="meta/ontology.tsv")
    assert column(dataset, "labels")["Dog/3"] == ("Dog", "Animal")
    assert dataset.vocabulary == ("Animal", "Dog", "Owl")


def test_a_table_of_parents_for_annotations(tmp_path):
    for number in range(6):
        write_noise(tmp_path / f"{number}.wav", 6, number)
        (tmp_path / f"{number}.txt").write_text("1\t2\tDog\n4\t5\tOwl\n")
    (tmp_path / "parents.csv").write_text(ANIMALS)
    clips = read(tmp_path, propagate=True).clips
    found = {label for labels in clips["labels"] for label in labels}
    assert found == {"Animal", "Bird", "Canine", "Dog", "Owl", "Pet"}
    assert all(("Pet" in labels) == ("Dog" in labels) for labels in clips["labels"])
    assert () in set(clips["labels"])


def test_a_table_of_parents_for_fsd50k_layout(layout):
    (layout / "parents.csv").write_text("child,parent\nDog,Animal\n")
    dataset = read(layout, propagate=True)
    assert dataset.vocabulary == ("Animal", "Bark", "Dog")
    assert column(dataset, "labels")["b"] == ("Dog", "Animal")


def test_folders_are_parents_everywhere(tmp_path):
    files = [f"Animal/Pet/Dog/{n}.wav" for n in range(4)] + [f"Dog/b{n}.wav" for n in range(4)]
    root = write_sounds(tmp_path, [*files, *(f"Owl/c{n}.wav" for n in range(4))])
    assert column(read(root), "labels")["b0"] == ("Dog",)
    labels = column(read(root, propagate=True), "labels")
    assert labels["b0"] == ("Dog", "Pet", "Animal")
    assert labels["0"] == ("Animal", "Pet", "Dog")
    assert labels["c0"] == ("Owl",)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ("label,above\nDog,Pet\n", "lacks the column child, parent; it has label, above"),
        ("child,parent\nDog,\n", "line 2: the label '' is empty"),
        ('child,parent\nDog,"Pet, Animal"\n', "line 2: the label 'Pet, Animal' has a comma"),
        ("child,parent\nDog,Pet\nPet,Dog\n", "a label is above itself: Dog > Pet > Dog"),
        ("child,parent\nCar,Vehicle\n", "no child is one of the labels: Dog, Owl"),
        ("", "is empty"),
    ],
)
def test_a_faulty_table_of_parents_is_one_sentence(pets, table, fault):
    (pets / "parents.csv").write_text(table)
    with pytest.raises(LeanError) as error:
        read(pets, propagate=True)
    assert str(error.value).startswith(str(pets / "parents.csv"))
    assert fault in str(error.value)
    assert "\n" not in str(error.value)


def test_settings_of_a_hierarchy_need_one(pets):
    (pets / "clips.csv").write_text("file,label\nDog/0.wav,Dog\n")
    with pytest.raises(LeanError, match=r"propagate needs a table with the columns child and"):
        read(pets, propagate=True)
    with pytest.raises(LeanError, match=r"parents: 'x\.csv' is not a file in"):
        read(pets, propagate=True, parents="x.csv")
    with pytest.raises(LeanError, match=r"parents: 'x\.csv' is used with propagate: true only"):
        read(pets, parents="x.csv")


def test_the_hierarchy_is_kept_with_the_clips(tmp_path):
    names = [f"Animal/Dog/{n}.wav" for n in range(6)] + [f"Rain/{n}.wav" for n in range(6)]
    dataset = read(write_sounds(tmp_path / "sounds", names))
    assert dataset.parents == {"Dog": ["Animal"]}
    dataset.save(tmp_path / "clips")
    assert load_dataset(tmp_path / "clips").parents == dataset.parents
    (tmp_path / "sounds" / "parents.csv").write_text("child,parent\nRain,Water\nDog,Pet\n")
    both = read(tmp_path / "sounds", propagate=True)
    assert both.parents == {"Dog": ["Animal", "Pet"], "Rain": ["Water"]}


def test_folders_in_a_circle_are_no_hierarchy(tmp_path):
    names = [f"{a}/{b}/{n}.wav" for a, b in (("x", "y"), ("y", "x")) for n in range(6)]
    assert read(write_sounds(tmp_path / "sounds", [*names, "z/1.wav"])).parents == {}
