"""What MLflow holds, read through its own client and without its own ids and times."""

from collections.abc import Iterator
from typing import Any

from helpers import runs
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

CURVES = ("loss", "val_loss", "val_mAP")
TAGS = {
    *("variant", "dataset", "dataset_kind", "seed", "inputs", "weights_sha256", "yamnet"),
    *("yamnet_trained", "yamnet_weights_sha256", "git_commit", "git_dirty", "dvc_experiment"),
    "results_sha256",
}


def snapshot(uri: str) -> dict[str, Any]:
    """All that the runs hold, by variant."""
    client = MlflowClient(uri)
    return {
        run.info.run_name: {
            "status": run.info.status,
            "params": run.data.params,
            "metrics": run.data.metrics,
            "tags": {name: run.data.tags[name] for name in sorted(TAGS)},
            "curves": {name: curve(client, run, name) for name in CURVES},
            "artifacts": sorted(artifacts(client, run.info.run_id)),
        }
        for run in runs(uri)
    }


def curve(client: MlflowClient, run: Run, name: str) -> list[tuple[int, float]]:
    return sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, name))


def artifacts(client: MlflowClient, run_id: str, folder: str | None = None) -> Iterator[str]:
    for file in client.list_artifacts(run_id, folder):
        if file.is_dir:
            yield from artifacts(client, run_id, file.path)
        else:
            yield file.path
