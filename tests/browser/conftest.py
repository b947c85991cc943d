"""Rendered pages for the browser tests."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers import ROOT
from report_data import (
    SETTINGS_SHA256,
    add_device,
    make_run,
    render,
    write_cost,
    write_training,
)

from lean_audio.config.params import load_params
from lean_audio.report.inputs import VARIANTS
from lean_audio.report.models import report_models


@pytest.fixture(scope="session")
def report_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """index.html of a small run with files for devices and example clips."""
    root = tmp_path_factory.mktemp("report")
    metrics = make_run(root / "demo", "demo", synthetic=True, trained=False)
    add_device(metrics)
    return render(metrics, root / "report") / "index.html"


@pytest.fixture(scope="session")
def ingredients_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """index.html of a run of every model in models.yaml, with the changes that are made there."""
    params = load_params(ROOT / "params.yaml")
    every = report_models(params.model_copy(update={"variants": tuple(params.models)}))
    root = tmp_path_factory.mktemp("ingredients")
    metrics = make_run(root / "folder", "folder", synthetic=False, trained=True)
    models = {name: replace(info, sha256=SETTINGS_SHA256) for name, info in every.items()}
    for number, name in enumerate(models):
        facts = {"parameters": 3_400_000 + 123_456 * number}
        for seed in (1, 2, 3)[name in VARIANTS :]:
            write_training(metrics, name, seed, like="yamnet", training=facts)
        size = 3_300_000 + 1_123_456 * (number % 3)
        network = models[name].network_sha256
        write_cost(metrics, name, size, 5.0 + number, 3.0, network)
    return render(metrics, root / "report", models=models) / "index.html"
