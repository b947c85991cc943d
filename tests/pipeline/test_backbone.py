"""Another backbone than YAMNet, the one of docs/backbones.md, from its weights to its .tflite."""

import json

import keras
import numpy as np
import pytest
from ruamel.yaml import YAML

from docs.small_backbone import BACKBONE, WEIGHTS, build
from lean_audio.datasets.layout import load_dataset
from lean_audio.features.cache import Embeddings


@pytest.mark.specialist
def test_another_backbone_takes_the_place_of_yamnet(make_clone):
    clone = make_clone()
    keras.utils.set_random_seed(5)
    (clone.root / "weights").mkdir()
    build().save_weights(clone.root / "weights" / WEIGHTS)
    for file in ("params.yaml", "models.yaml"):
        content = YAML(typ="safe").load((clone.root / file).read_text())
        if file == "params.yaml":
            content |= {"backbone": "docs/small_backbone.py", "costs": ["plus"]}
            content["variants"].append("plus")
            content["yamnet"]["source"] = "weights"
            content["embed"]["layers"] = ["block_2"]
        else:
            content["models"]["plus"]["network"]["layers"] = ["block_2"]
        YAML().dump(content, clone.root / file)
    clone.run("dvc", "repro", "evaluate@plus-1", "cost@plus")
    cached = Embeddings(clone.root / "data/demo/embeddings/dev/train")
    assert cached.rows([0, 1], "block_2").shape == (2, 64)
    metrics = clone.root / "metrics" / "demo"
    classes = len(load_dataset(clone.root / "data/demo/clips").vocabulary)
    features = 128 + 64
    head = 2 * features + features * 256 + 256 + 256 * classes + classes
    parameters = json.loads((clone.record("plus") / "training.json").read_text())["parameters"]
    assert parameters == BACKBONE.build().count_params() + head
    provenance = json.loads((metrics / "provenance.json").read_text())
    assert (provenance["yamnet"]["handle"], provenance["yamnet"]["trained"]) == ("weights", True)
    cost = json.loads((metrics / "costs" / "plus.json").read_text())
    assert 0 < cost["bytes"] < 4 * parameters
    assert np.isfinite(cost["latency"]["1"]["median_ms"])
