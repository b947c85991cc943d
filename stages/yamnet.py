"""Obtain YAMNet's weights and say where they came from."""

from lean_audio.errors import run_stage
from lean_audio.params import load_params
from lean_audio.yamnet import obtain


def main() -> None:
    params = load_params()
    obtain(params.yamnet, synthetic=params.synthetic, folder=params.paths.yamnet)


if __name__ == "__main__":
    run_stage(main)
