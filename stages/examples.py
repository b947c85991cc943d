"""Draw a few evaluation clips and show how the headline model scores them."""

import lean_audio.quiet_keras  # noqa: F401
from lean_audio.backbones.base import load_backbone
from lean_audio.config.params import load_params
from lean_audio.evaluation.examples import write_examples
from lean_audio.training.batches import open_examples
from lean_audio.training.heads import read_head
from stages import run_stage


def main() -> str:
    params = load_params()
    paths = params.paths
    write_examples(
        paths.examples,
        open_examples(paths.audio, paths.embeddings, "eval"),
        read_head(paths.headline),
        load_backbone(params.backbone, params.embed.mean_normalization),
        params.examples,
        dataset=params.dataset,
    )
    return f"{params.examples.clips} clips"


if __name__ == "__main__":
    run_stage(main)
