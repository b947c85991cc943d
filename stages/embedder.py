"""Export front end, backbone and pooled layers as the .tflite that stage embed runs."""

import lean_audio.quiet_keras  # noqa: F401
from lean_audio.backbones.base import load_backbone
from lean_audio.backbones.export import write_embedder
from lean_audio.config.params import load_params
from stages import run_stage


def main() -> str:
    params = load_params()
    paths, settings = params.paths, params.embed
    backbone = load_backbone(params.backbone, settings.mean_normalization)
    backbone.require(settings.layers)
    write_embedder(
        backbone, paths.weights, paths.embedder, settings.layers, settings.mean_normalization
    )
    return f"embedding and {len(settings.layers)} pooled layers"


if __name__ == "__main__":
    run_stage(main)
