"""Show a few evaluation clips, drawn by chance, and what the headlined variant makes of them."""

from lean_audio.backbones.base import load_backbone
from lean_audio.config.params import load_params
from lean_audio.datasets.layout import load_dataset
from lean_audio.errors import run_stage
from lean_audio.evaluation.examples import Trained, write_examples
from lean_audio.training.batches import open_examples


def main() -> None:
    params = load_params()
    name, paths = params.headline, params.paths
    data = open_examples(
        paths.audio,
        paths.embeddings,
        "eval",
        load_dataset(paths.clips).vocabulary,
    )
    backbone = load_backbone(params.backbone, params.embed.mean_normalization)
    trained = Trained(name, params.variant(name), paths.weights(name), backbone)
    write_examples(
        paths.examples,
        data,
        trained,
        params.examples,
        dataset=params.dataset,
        seed=params.seed,
    )


if __name__ == "__main__":
    run_stage(main)
