"""Decode, mix down and resample every clip once; index its chunks; set unusable clips aside."""

from lean_audio.config.params import load_params
from lean_audio.datasets.layout import dataset_root, load_dataset
from lean_audio.features.prepare import prepare
from stages import run_stage


def main() -> str:
    params = load_params()
    paths = params.paths
    listed = paths.metrics / "set_aside.csv"
    usable, bad = prepare(
        load_dataset(paths.clips),
        dataset_root(params.source, paths.raw),
        paths.audio,
        listed,
        paths.metrics / "class_counts.csv",
        params.prepare,
        params.compute.workers,
        params.cluster.scheduler,
    )
    return f"{usable:,} clips; {bad} set aside" + (f", listed in {listed}" if bad else "")


if __name__ == "__main__":
    run_stage(main)
