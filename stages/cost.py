"""Size and time on a device of a variant or an ingredient of `plus`."""

import sys

from lean_audio.backbone import load_backbone
from lean_audio.chunks import open_chunks
from lean_audio.cost import measure_cost
from lean_audio.datasets import load_dataset
from lean_audio.errors import run_stage
from lean_audio.files import write_json
from lean_audio.params import load_params
from lean_audio.provenance import data_sha256


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
