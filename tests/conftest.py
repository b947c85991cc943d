"""What several tests share."""

import os
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers import ROOT, write_layout
from hypothesis import settings

from lean_audio.config.params import Params, load_params

if TYPE_CHECKING:
    from playwright.sync_api import Browser

import stages  # noqa: F401  what it sets for TensorFlow holds in the tests too

settings.register_profile("untimed", deadline=None)  # other tests run beside it
settings.load_profile("untimed")
os.environ["NUMBA_OPT"] = "0"  # librosa compiles as it is imported what no test calls

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
)


LONG = ("test_ui", "test_repro", "test_reruns")  # start before shorter ones
COPIES = {"working", "module_copy"}  # of the finished clone, which must be there first


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group what shares something costly on one worker, and start with the finished clone.

    Groups that need it come last: until it is there, the other workers do the rest.
    """
    ranks = defaultdict(int)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
        ranks[_group(item)] = max(ranks[_group(item)], _rank(item))
    items.sort(key=lambda item: (ranks[_group(item)], item.path.stem not in LONG))


def _fixtures(item: pytest.Item) -> set[str]:
    return set(getattr(item, "fixturenames", ()))


def _rank(item: pytest.Item) -> int:
    if item.path.match("pipeline/test_device.py"):
        return 0  # makes the finished clone
    return 2 if _fixtures(item) & {"finished", *COPIES} else 1


def _group(item: pytest.Item) -> str:
    if "working" in _fixtures(item):
        return item.nodeid
    folder, file = item.path.parent.name, item.path.stem
    return folder if folder in ("device", "browser") else f"{folder}/{file}"


def shared(variable: str, name: str, proof: str) -> Path:
    """A directory too large for the repository; the test is skipped where it is not at hand."""
    path = Path(os.environ.get(variable, ROOT.parent / "shared" / name))
    if not (path / proof).exists():
        pytest.skip(f"{path} holds no {proof}: set {variable} to a directory that does")
    return path


@pytest.fixture(scope="session")
def yamnet_savedmodel() -> Path:
    return shared("LEAN_YAMNET", "yamnet", "saved_model.pb")


@pytest.fixture(scope="session")
def real_sounds() -> Path:
    return shared("LEAN_SOUNDS", "minifsd", "FSD50K.ground_truth")


@pytest.fixture(scope="session")
def params() -> Params:
    return load_params(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def backbone(params):
    from lean_audio.backbones.base import load_backbone

    return load_backbone(params.backbone, mean_normalization=False)


@pytest.fixture
def layout(tmp_path) -> Path:
    """Four clips: a and b to train, c to validate, d to evaluate."""
    splits = {"a": "train", "b": "train", "c": "val", "d": "eval"}
    clips = {
        name: (split, "Bark,Dog" if name in "acd" else "Dog") for name, split in splits.items()
    }
    return write_layout(tmp_path / "sounds", clips)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A file system of 3 MB, and a function that gives it another size."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(options: str) -> subprocess.CompletedProcess[bytes]:
        command = ["mount", "-t", "tmpfs", "-o", options, "lean-test", str(disk)]
        return subprocess.run(command, capture_output=True)

    if not shutil.which("mount") or mount("size=3m").returncode:
        pytest.skip("a disk can only be filled up where the tests may mount a small one (root)")
    yield disk, lambda size: mount(f"remount,size={size}").check_returncode()
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """A system browser, driven by Playwright; skipped where there is none."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser to drive: none of {', '.join(BROWSERS)} is on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def small_embedder(tmp_path_factory, params) -> Path:
    """The small backbone of docs/backbones.md with random weights: fast, and as strict."""
    import keras

    from docs.small_backbone import WEIGHTS, build
    from lean_audio.backbones.base import load_backbone
    from lean_audio.backbones.export import write_embedder
    from lean_audio.backbones.weights import prepare_weights

    root = tmp_path_factory.mktemp("embedder")
    keras.utils.set_random_seed(1)
    (root / "given").mkdir()
    build().save_weights(root / "given" / WEIGHTS)
    source = params.yamnet.model_copy(update={"source": str(root / "given")})
    backbone = load_backbone(Path("docs/small_backbone.py"), mean_normalization=False)
    prepare_weights(backbone, source, synthetic=False, folder=root / "weights")
    write_embedder(backbone, root / "weights", root / "embedder", ("block_2",), False)
    return root / "embedder"
