"""What a run in MLflow says of its training: inputs, params, tags."""

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

from lean_audio.config.params import Params
from lean_audio.files import read_json
from lean_audio.notices import notices

RESULTS = (":!dvc.lock", ":!metrics", ":!report", ":!params.yaml")


def run_name(model: str, seed: int) -> str:
    """Name a run as its stage and its files are named."""
    return f"{model}-{seed}"


def training_inputs(params: Params, model: str, seed: int, provenance: dict[str, Any]) -> str:
    """Hash what determines a training: dataset, model, seed, settings, and the data it uses."""
    data = [provenance["data_sha256"][split] for split in ("train", "val")]
    content = [params.dataset, model, seed, params.settings_sha256(model), data]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def run_tags(params: Params, model: str, seed: int) -> dict[str, str]:
    """Return what a run says of itself from the start."""
    provenance = read_json(params.paths.metrics / "provenance.json")
    yamnet = provenance["yamnet"]
    return {
        "variant": model,
        "dataset": params.dataset,
        "dataset_kind": "synthetic" if params.synthetic else "recorded",
        "seed": str(seed),
        "inputs": training_inputs(params, model, seed, provenance),
        "yamnet": f"{yamnet['source']}: {yamnet['handle']}",
        "yamnet_trained": str(yamnet["trained"]).lower(),
        "yamnet_weights_sha256": yamnet["weights_sha256"],
        "dvc_experiment": os.environ.get("DVC_EXP_NAME", "none"),
        "mlflow.note.content": "\n\n".join(notices(provenance)),
        **_commit(),
    }


def _commit() -> dict[str, str]:
    """Return the commit, and whether code differs from it; params.yaml and results do not count."""
    unknown = {"git_commit": "none", "git_dirty": "true"}
    try:
        from git import InvalidGitRepositoryError, Repo
    except ImportError:  # git is not installed
        return unknown
    try:
        repository = Repo(search_parent_directories=True)
        commit = repository.head.commit.hexsha
    except (InvalidGitRepositoryError, ValueError):  # no repository, no commit
        return unknown
    changed = repository.git.status("--porcelain", "--", ".", *RESULTS)
    return {
        "git_commit": commit,
        "mlflow.source.git.commit": commit,
        "git_dirty": str(bool(changed)).lower(),
    }


def run_params(params: Params, model: str, seed: int) -> dict[str, str]:
    """Flatten every setting that a training rests on; MLflow accepts a param only once."""
    sections = {
        "dataset": params.dataset,
        "seed": seed,
        "source": params.source.model_dump(),
        "yamnet": params.yamnet.model_dump(),
        "prepare": params.prepare.model_dump(),
        "embed": params.embed.model_dump(),
        "variant": {"name": model, **params.model(model).network.model_dump()},
        "train": params.recipe(model).model_dump(),
    }
    return dict(_flat(sections))


def _flat(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, str(value)
