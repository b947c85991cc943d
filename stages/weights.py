"""Fetch the backbone's pretrained weights and record where they came from."""

from lean_audio.backbones.base import load_backbone
from lean_audio.backbones.weights import prepare_weights
from lean_audio.config.params import load_params
from stages import run_stage


def main() -> None:
    params = load_params()
    backbone = load_backbone(params.backbone, mean_normalization=False)  # no part of the weights
    prepare_weights(
        backbone, params.yamnet, synthetic=params.synthetic, folder=params.paths.weights
    )


if __name__ == "__main__":
    run_stage(main)
