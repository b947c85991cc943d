"""Fetch the backbone's pretrained weights and record where they came from."""

import lean_audio.quiet_keras  # noqa: F401
from lean_audio.backbones.base import load_backbone
from lean_audio.backbones.weights import prepare_weights
from lean_audio.config.params import load_params
from stages import run_stage


def main() -> str:
    params = load_params()
    backbone = load_backbone(params.backbone, mean_normalization=False)  # no part of the weights
    found = prepare_weights(
        backbone, params.yamnet, synthetic=params.synthetic, folder=params.paths.weights
    )
    return f"{found.source}: {found.handle}"


if __name__ == "__main__":
    run_stage(main)
