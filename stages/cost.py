"""Measure the size and latency of a model on a device, trained or not."""

import lean_audio.quiet_keras  # noqa: F401
from lean_audio.backbones.base import load_backbone, load_provenance
from lean_audio.config.params import load_params
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.device.cost import measure_cost
from lean_audio.features.chunks import open_chunks
from lean_audio.files import write_json
from lean_audio.metrics.rounding import rounded
from stages import run_stage


def main(model: str) -> str:
    params = load_params()
    paths = params.paths
    network, chunks = params.model(model).network, open_chunks(paths.audio / SPLIT_FOLDERS["eval"])
    cost = measure_cost(
        network,
        chunks,
        load_backbone(params.backbone, params.embed.mean_normalization),
        paths.weights,
        params.device.threads,
    )
    identity = {
        "network_sha256": params.network_sha256(model),
        "weights_sha256": load_provenance(paths.weights).weights_sha256,
        "classes": len(chunks.vocabulary),
    }
    write_json(paths.cost(model), identity | rounded(cost.asdict()))
    return f"{cost.bytes / 1e6:.2f} MB"


if __name__ == "__main__":
    run_stage(main)
