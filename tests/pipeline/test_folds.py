"""All folds of a table by the commands of docs/own-sounds.md: accuracy and mAP, mean and spread."""

import re

import keras
import numpy as np
import pytest
import soundfile
from documents import read_blocks
from helpers import ROOT
from ruamel.yaml import YAML

from docs.small_backbone import WEIGHTS, build

FOLDS = (1, 2)


@pytest.fixture(scope="module")
def folds(make_clone):
    """A clone, and two tones in two folds of a table as ESC-50's."""
    clone = make_clone()
    sounds = clone.root.parent / "ESC-50"
    (sounds / "audio").mkdir(parents=True)
    (sounds / "meta").mkdir()
    rng, rows = np.random.default_rng(1), ["filename,fold,category,src_file"]
    for number in range(24):
        name, hz = ("low", 300) if number % 2 else ("high", 3_000)
        tone = 0.3 * np.sin(2 * np.pi * hz * rng.uniform(0.9, 1.1) * np.arange(16_000) / 16_000)
        soundfile.write(sounds / "audio" / f"{number}.wav", tone, 16_000)
        rows.append(f"{number}.wav,{FOLDS[number // 2 % 2]},{name},{number}")
    (sounds / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n")
    path = clone.root / "params.yaml"
    content = YAML(typ="safe").load(path.read_text())
    content |= {"backbone": "docs/small_backbone.py"}
    content["yamnet"]["source"] = str(clone.root.parent / "small")
    content["embed"]["layers"] = []
    YAML().dump(content, path)
    models = YAML(typ="safe").load((clone.root / "models.yaml").read_text())
    models["models"]["plus"]["network"]["layers"] = []
    YAML().dump(models, clone.root / "models.yaml")
    keras.utils.set_random_seed(5)
    (clone.root.parent / "small").mkdir()
    build().save_weights(clone.root.parent / "small" / WEIGHTS)
    clone.commit("two folds")
    return clone, sounds


@pytest.mark.specialist
def test_a_sweep_over_folds_as_documented(folds):
    clone, sounds = folds
    blocks = read_blocks(ROOT / "docs" / "own-sounds.md")
    (sweep,) = [block for block in blocks if "--queue" in block.text]
    (summary,) = [block for block in blocks if "exp_show" in block.text]
    (first,) = [block for block in blocks if "tools.tagger" in block.text]
    commands = [line for line in first.text.splitlines() if line.startswith("python")]
    commands.append(sweep.text.replace(",[3],[4],[5]", ""))
    output = clone.run("bash", "-ec", "\n".join(commands).replace("/data/ESC-50", str(sounds)))
    assert "Ran experiment" in output, output
    table = clone.run("python", "-c", summary.text)
    means = re.search(r"^mean +(\S+) +(\S+)$", table, re.MULTILINE)
    spreads = re.search(r"^std +(\S+) +(\S+)$", table, re.MULTILINE)
    assert means and spreads, table
    assert all(0.5 <= float(mean) <= 1 for mean in means.groups())
    assert all(0 <= float(spread) < 0.5 for spread in spreads.groups())
