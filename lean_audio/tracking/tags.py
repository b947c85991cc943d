"""What a run in MLflow says of its training: inputs, params, tags."""

import hashlib
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lean_audio.config.params import Params
from lean_audio.files import read_json
from lean_audio.notices import notices

RESULTS = (":!dvc.lock", ":!metrics", ":!report", ":!params.yaml")


def training_inputs(params: Params, variant: str) -> str:
    """SHA-256 of a training's settings and of its data's hashes in dvc.lock."""
    paths = params.paths
    data = _locked([paths.clips, paths.audio, paths.embeddings])
    settings = {
        "dataset": params.dataset,
        "seed": params.seed,
        "variant": [variant, params.model(variant).model_dump()],
        "train": params.recipe(variant).model_dump(),
    }
    return hashlib.sha256(json.dumps([settings, data], sort_keys=True).encode()).hexdigest()


def _locked(paths: list[Path]) -> dict[str, str | None]:
    """path -> its hash as an output in dvc.lock."""
    lock = Path("dvc.lock")
    hashes = _output_hashes(lock.read_text()) if lock.is_file() else {}
    return {str(path): hashes.get(str(path)) for path in paths}


@cache  # half a second to parse, and asked for once a run
def _output_hashes(lock: str) -> dict[str, str]:
    stages = YAML(typ="safe").load(lock)["stages"]
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}


def run_tags(params: Params, variant: str) -> dict[str, str]:
    """What a run says of itself from its first moment on."""
    provenance = read_json(params.paths.metrics / "provenance.json")
    yamnet = provenance["yamnet"]
    return {
        "variant": variant,
        "dataset": params.dataset,
        "dataset_kind": "synthetic" if params.synthetic else "recorded",
        "seed": str(params.seed),
        "inputs": training_inputs(params, variant),
        "yamnet": f"{yamnet['source']}: {yamnet['handle']}",
        "yamnet_trained": str(yamnet["trained"]).lower(),
        "yamnet_weights_sha256": yamnet["weights_sha256"],
        "dvc_experiment": os.environ.get("DVC_EXP_NAME", "none"),
        "mlflow.note.content": "\n\n".join(notices(provenance)),
        **_commit(),
    }


def _commit() -> dict[str, str]:
    """git_dirty: whether code differs from the commit; params.yaml and results do not count."""
    unknown = {"git_commit": "none", "git_dirty": "true"}
    try:
        from git import InvalidGitRepositoryError, Repo
    except ImportError:  # there is no git
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


def run_params(params: Params, variant: str) -> dict[str, str]:
    """Flat: every setting that a training rests on; MLflow takes a param once."""
    sections = {
        "dataset": params.dataset,
        "seed": params.seed,
        "datasets": {params.dataset: getattr(params.datasets, params.dataset).model_dump()},
        "yamnet": params.yamnet.model_dump(),
        "prepare": params.prepare.model_dump(),
        "embed": params.embed.model_dump(),
        "variant": {"name": variant, **params.model(variant).model_dump()},
        "train": params.recipe(variant).model_dump(),
    }
    return dict(_flat(sections))


def _flat(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, str(value)
