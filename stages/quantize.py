"""Make one waveform-in .tflite a scheme out of the headlined variant."""

from lean_audio.config.params import load_params
from lean_audio.datasets.layout import load_dataset
from lean_audio.device.quantize import Source, describe, make_files
from lean_audio.device.score import all_clips
from lean_audio.errors import run_stage
from lean_audio.files import read_json, write_csv, write_json


def main() -> None:
    params = load_params()
    name, paths = params.quantized, params.paths
    provenance = read_json(paths.metrics / "provenance.json")
    made = make_files(
        Source(
            name,
            params.variant(name),
            (params.backbone, params.embed.mean_normalization),
            paths.yamnet,
            paths.weights(name),
        ),
        all_clips(paths.audio, "val", load_dataset(paths.clips).vocabulary),
        paths.device,
        params.quantize,
        describe(name, provenance, params.prepare),
        seed=params.seed,
        workers=params.compute.workers,
    )
    write_csv(paths.metrics / "sensitivity.csv", made.sensitivity)
    write_json(paths.metrics / "quantize.json", {"mixes": made.mixes, "failures": made.failures})


if __name__ == "__main__":
    run_stage(main)
