"""Run every .tflite over the evaluation clips; ship the smallest that loses nothing to speak of."""

import shutil

import numpy as np

from lean_audio.config.params import load_params
from lean_audio.datasets.layout import load_dataset
from lean_audio.device.measure import measure, summary
from lean_audio.device.score import PARTS_FOLDER, all_clips
from lean_audio.errors import run_stage
from lean_audio.files import read_json, whole, write_json
from lean_audio.notices import print_notices


def main() -> None:
    params = load_params()
    paths = params.paths
    measured = measure(
        paths.device,
        all_clips(paths.audio, "eval", load_dataset(paths.clips).vocabulary),
        np.load(paths.scores(params.quantized)),
        params.device,
        parts=paths.device / PARTS_FOLDER,
        seed=params.seed,
        workers=params.compute.workers,
    )
    write_json(paths.metrics / "device.json", {"variant": params.quantized, **measured})
    write_json(paths.metrics / "shipped.json", summary(measured))
    with whole(paths.shipped) as temporary:
        shutil.copyfile(paths.device / f"{measured['shipped']}.tflite", temporary)
    print(f"{paths.shipped}: {measured['shipped']}")
    print_notices(read_json(paths.metrics / "provenance.json"))


if __name__ == "__main__":
    run_stage(main)
