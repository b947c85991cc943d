"""Measure the size and latency of a model on a device, trained or not."""

from lean_audio.backbones.base import load_backbone
from lean_audio.config.params import load_params
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.device.cost import measure_cost
from lean_audio.features.cache import Embeddings
from lean_audio.features.chunks import open_chunks
from lean_audio.files import write_json
from stages import run_stage


def main(model: str) -> None:
    params = load_params()
    paths = params.paths
    cost = measure_cost(
        params.model(model).network,
        open_chunks(paths.audio / SPLIT_FOLDERS["eval"]),
        load_backbone(params.backbone, params.embed.mean_normalization),
        paths.weights,
        params.device.threads,
    )
    data = Embeddings(paths.embeddings / SPLIT_FOLDERS["eval"]).data_sha256
    write_json(paths.cost(model), cost.asdict() | {"data_sha256": data})


if __name__ == "__main__":
    run_stage(main)
