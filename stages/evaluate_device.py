"""Score the evaluation clips with every .tflite, time the files, and ship one of them."""

import shutil

import numpy as np

from lean_audio.config.params import load_params
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.device.measure import measure, summarize_shipped
from lean_audio.device.score import all_clips
from lean_audio.files import atomic_file, read_json, write_json
from lean_audio.metrics.rounding import rounded
from lean_audio.tflite.card import read_card
from stages import run_stage


def main() -> str:
    params = load_params()
    paths = params.paths
    measured = measure(
        paths.device,
        all_clips(paths.audio / SPLIT_FOLDERS["eval"]),
        np.load(paths.headline_scores),
        read_json(paths.metrics / "quantize.json")["validation"],
        params.device,
        resamples=params.evaluate.resamples,
        workers=params.compute.workers,
    )
    _, card = read_card(paths.device / "float32.tflite")
    write_json(paths.metrics / "device.json", {"variant": card["variant"], **rounded(measured)})
    write_json(paths.metrics / "shipped.json", rounded(summarize_shipped(measured)))
    with atomic_file(paths.shipped) as temporary:
        shutil.copyfile(paths.device / f"{measured['shipped']}.tflite", temporary)
    size, row = paths.shipped.stat().st_size / 1e6, measured["schemes"][measured["shipped"]]
    return f"{paths.shipped} is {measured['shipped']}, {size:.2f} MB; {row['reason']}"


if __name__ == "__main__":
    run_stage(main)
