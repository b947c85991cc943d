"""Copy the headline's head and scores to a fixed place, where the later stages read them."""

import shutil

from lean_audio.config.params import load_params
from lean_audio.files import atomic_directory, atomic_file
from stages import run_stage


def main() -> str:
    params = load_params()
    paths = params.paths
    source = paths.training(params.shown, params.seed)
    with atomic_directory(paths.headline) as temporary:
        shutil.copytree(source.head, temporary, dirs_exist_ok=True)
    with atomic_file(paths.headline_scores) as temporary:
        shutil.copyfile(source.scores, temporary)
    return f"{params.shown}, seed {params.seed}"


if __name__ == "__main__":
    run_stage(main)
