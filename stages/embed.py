"""Compute the YAMNet embedding of every chunk once; record what the numbers will rest on."""

from lean_audio.config.params import load_params
from lean_audio.datasets.layout import load_dataset
from lean_audio.errors import run_stage
from lean_audio.features.embed import embed
from lean_audio.features.provenance import data_sha256, describe
from lean_audio.files import write_json
from lean_audio.notices import print_notices


def main() -> None:
    params = load_params()
    paths = params.paths
    workers, scheduler = params.compute.workers, params.cluster.scheduler
    embed(paths.audio, paths.yamnet, paths.embeddings, params.embed, workers, scheduler)
    provenance = describe(load_dataset(paths.clips), paths.audio, paths.yamnet) | {
        "data_sha256": data_sha256(
            paths.clips, paths.audio, paths.yamnet, params.embed.mean_normalization
        )
    }
    write_json(paths.metrics / "provenance.json", provenance)
    print_notices(provenance)


if __name__ == "__main__":
    run_stage(main)
