"""Decode, mix down and resample every clip once; index its chunks; set bad clips aside."""

from lean_audio.config.params import load_params
from lean_audio.datasets.layout import load_dataset
from lean_audio.errors import run_stage
from lean_audio.features.prepare import prepare


def main() -> None:
    params = load_params()
    dataset = load_dataset(params.paths.clips)
    prepare(
        dataset,
        params.root,
        params.paths.audio,
        params.paths.metrics / "set_aside.csv",
        params.prepare,
        params.compute.workers,
        params.cluster.scheduler,
    )


if __name__ == "__main__":
    run_stage(main)
