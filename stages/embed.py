"""Compute the features of every chunk once; record what all numbers will rest on."""

from lean_audio.config.params import load_params
from lean_audio.datasets.layout import load_dataset
from lean_audio.features.embed import embed
from lean_audio.features.provenance import describe_run
from lean_audio.files import write_json
from stages import run_stage


def main() -> str:
    params = load_params()
    paths = params.paths
    workers, scheduler = params.compute.workers, params.cluster.scheduler
    chunks, reused = embed(paths.audio, paths.embedder, paths.embeddings, workers, scheduler)
    dataset = load_dataset(paths.clips)
    provenance = describe_run(dataset, paths.audio, paths.weights, paths.embeddings)
    write_json(paths.metrics / "provenance.json", provenance)
    return f"{chunks:,} chunks" + (f", {reused:,} of them from the run before" if reused else "")


if __name__ == "__main__":
    run_stage(main)
