"""Size and time on a device of a variant or an ingredient of `plus`."""

import sys

from lean_audio.backbone import load_backbone
from lean_audio.chunks import open_chunks
from lean_audio.cost import measure_cost
from lean_audio.datasets import load_dataset
from lean_audio.errors import run_stage
from lean_audio.files import write_json
from lean_audio.params import load_params


def main(name: str) -> None:
    params = load_params()
    paths = params.paths
    cost = measure_cost(
        params.model(name),
        open_chunks(paths.audio, "eval", load_dataset(paths.clips).vocabulary),
        load_backbone(params.backbone, params.embed.mean_normalization),
        paths.yamnet,
        params.device,
    )
    write_json(paths.cost(name), cost.asdict())


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
