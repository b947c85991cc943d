"""Obtain the backbone's weights and say where they came from; make of them what embeds chunks."""

from lean_audio.backbones.base import load_backbone
from lean_audio.backbones.weights import obtain
from lean_audio.config.params import load_params
from lean_audio.device.export import write_embedder
from lean_audio.errors import run_stage


def main() -> None:
    params = load_params()
    backbone = load_backbone(params.backbone, params.embed.mean_normalization)
    backbone.require(params.embed.layers)
    obtain(backbone, params.yamnet, synthetic=params.synthetic, folder=params.paths.yamnet)
    write_embedder(backbone, params.paths.yamnet, params.embed.layers)


if __name__ == "__main__":
    run_stage(main)
