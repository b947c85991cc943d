"""Size and time on a device of a variant or an ingredient of `plus`."""

import sys

from lean_audio.backbones.base import load_backbone
from lean_audio.config.params import load_params
from lean_audio.datasets.layout import load_dataset
from lean_audio.device.cost import measure_cost
from lean_audio.errors import run_stage
from lean_audio.features.chunks import open_chunks
from lean_audio.features.provenance import data_sha256
from lean_audio.files import write_json


def main(name: str) -> None:
    params = load_params()
    paths, normalized = params.paths, params.embed.mean_normalization
    cost = measure_cost(
        params.model(name),
        open_chunks(paths.audio, "eval", load_dataset(paths.clips).vocabulary),
        load_backbone(params.backbone, normalized),
        paths.yamnet,
        params.device,
    )
    data = data_sha256(paths.clips, paths.audio, paths.yamnet, normalized)
    write_json(paths.cost(name), cost.asdict() | {"data_sha256": data})


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
