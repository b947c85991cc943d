"""Make one waveform-input .tflite per scheme from the headline model."""

from lean_audio.config.params import load_params
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.device.quantize import Source, card_fields, make_files
from lean_audio.device.score import all_clips
from lean_audio.files import read_json, write_csv, write_json
from lean_audio.metrics.rounding import rounded
from lean_audio.training.heads import read_head
from stages import run_stage


def main() -> str:
    params = load_params()
    paths = params.paths
    provenance = read_json(paths.metrics / "provenance.json")
    model, normalized = read_head(paths.headline).model, params.embed.mean_normalization
    made = make_files(
        Source(model, paths.headline, paths.weights, params.backbone, normalized),
        all_clips(paths.audio / SPLIT_FOLDERS["val"]),
        paths.device,
        params.quantize,
        card_fields(model, provenance, params.prepare),
        workers=params.compute.workers,
    )
    write_csv(paths.metrics / "sensitivity.csv", rounded(made.sensitivity))
    about = {"mixes": made.mixes, "failures": made.failures, "validation": made.validation}
    write_json(paths.metrics / "quantize.json", rounded(about))
    without = f"; none as {', '.join(made.failures)}" if made.failures else ""
    count = len(made.mixes) - len(made.failures)
    return f"{count} files of {model}{without}"


if __name__ == "__main__":
    run_stage(main)
