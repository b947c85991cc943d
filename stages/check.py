"""Check the clips, their splits and their labels; warn of what may be a mistake."""

from lean_audio.config.params import load_params
from lean_audio.datasets.layout import load_dataset
from lean_audio.files import write_json
from lean_audio.review.checks import check_data, warnings
from lean_audio.screen import say
from stages import run_stage


def main() -> str:
    paths = load_params().paths
    found = check_data(load_dataset(paths.clips), paths.audio)
    write_json(paths.data_checks, found)
    for warning in warnings(found):
        say(f"warning: {warning}")
    return f"{found['warnings']} of {len(found['checks'])} checks found something"


if __name__ == "__main__":
    run_stage(main)
