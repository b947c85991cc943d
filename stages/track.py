"""Create or complete the runs in MLflow from the files of the other stages."""

from lean_audio.config.params import load_params
from lean_audio.files import write_json
from lean_audio.tracking.sync import track_or_postpone
from stages import run_stage


def main() -> str:
    params = load_params()
    tracked = track_or_postpone(params)
    write_json(params.paths.tracked, tracked)
    return f"{len(tracked)} runs; `make ui` shows them in MLflow"


if __name__ == "__main__":
    run_stage(main)
