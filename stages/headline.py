"""Copy the headline's head and scores to a fixed name, for the stages that use it by default."""

import shutil

from lean_audio.config.params import HEADLINE, load_params
from lean_audio.files import atomic_directory, atomic_file
from stages import run_stage


def main() -> str:
    params = load_params()
    source = params.paths.training(params.headline, params.seed)
    copy = params.paths.training(HEADLINE, params.seed)
    with atomic_directory(copy.head) as temporary:
        shutil.copytree(source.head, temporary, dirs_exist_ok=True)
    with atomic_file(copy.scores) as temporary:
        shutil.copyfile(source.scores, temporary)
    return f"{params.headline}, seed {params.seed}"


if __name__ == "__main__":
    run_stage(main)
