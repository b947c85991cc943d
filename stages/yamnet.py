"""Obtain YAMNet's weights and say where they came from; make of them what embeds chunks."""

from lean_audio.errors import run_stage
from lean_audio.export import write_embedder
from lean_audio.params import load_params
from lean_audio.yamnet import obtain


def main() -> None:
    params = load_params()
    obtain(params.yamnet, synthetic=params.synthetic, folder=params.paths.yamnet)
    write_embedder(params.paths.yamnet, params.embed.mean_normalization)


if __name__ == "__main__":
    run_stage(main)
