"""The packages of lean_audio/: each imports only from layers below it; importing has no effects."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

PACKAGE = ROOT / "lean_audio"
LAYERS = (  # lowest first; those of one layer do not import each other
    {"errors", "notices", "screen"},
    {"audio", "config", "files", "quiet_keras"},
    {"metrics", "parallel", "tflite", "datasets.demo"},
    {"datasets", "backbones", "tagger", "report"},
    {"features", "model", "cli"},
    {"training", "tracking", "review"},
    {"device", "evaluation"},
)
RANK = {room: rank for rank, layer in enumerate(LAYERS) for room in layer}


def room_of(path: Path) -> str:
    """The package that a module is in, or the module at the top of lean_audio/."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "datasets.demo" if parts[:2] == ("datasets", "demo") else parts[0]


def modules() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lean_audio."):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("lean_audio.")]
        else:
            continue
        for name in names:
            parts = name.split(".")[1:]
            found.add("datasets.demo" if parts[:2] == ["datasets", "demo"] else parts[0])
    return found


def test_every_room_has_its_layer():
    assert {room_of(path) for path in modules()} == set(RANK)


@pytest.mark.parametrize("room", sorted(RANK))
def test_a_room_imports_only_from_layers_below(room):
    for path in modules():
        if room_of(path) == room:
            for other in imported_rooms(path) - {room}:
                assert RANK[other] < RANK[room], f"{path.relative_to(ROOT)} imports {other}"


def test_every_package_says_what_belongs_there():
    for init in PACKAGE.rglob("__init__.py"):
        doc = ast.get_docstring(ast.parse(init.read_text()))
        assert doc and len(doc) > 80, init.relative_to(ROOT)


def test_few_modules_stand_at_the_top():
    assert len(list(PACKAGE.glob("*.py"))) <= 8


def test_importing_has_no_side_effects():
    program = """
import gc, os, sys
before = dict(os.environ), list(sys.meta_path), gc.isenabled(), gc.get_freeze_count()
import lean_audio
from lean_audio import Tagger
assert before == (dict(os.environ), list(sys.meta_path), gc.isenabled(), gc.get_freeze_count())
assert lean_audio.__all__ == ["Tagger"] and Tagger.__name__ == "Tagger"
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_keras_still_wraps_scikit_learn_for_whoever_imports_us():
    program = """
import lean_audio.training.fit
import keras
print(type(keras.wrappers.SKLearnClassifier(lambda X, y: None)).__name__)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "SKLearnClassifier"


def test_a_name_that_is_not_exported_is_an_attribute_error():
    import lean_audio

    with pytest.raises(AttributeError, match="no attribute 'Taggers'"):
        lean_audio.Taggers  # noqa: B018
