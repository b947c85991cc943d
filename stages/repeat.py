"""Train and evaluate a variant with one more seed, or an ingredient of `plus` with one."""

import sys

from lean_audio.backbones.base import load_backbone
from lean_audio.config.params import load_params
from lean_audio.datasets.layout import SPLITS, load_dataset
from lean_audio.errors import run_stage
from lean_audio.features.provenance import data_sha256
from lean_audio.training.batches import open_examples
from lean_audio.training.study import Settings, study


def main(chosen: str, seed: str) -> None:
    params = load_params()
    model, recipe, paths = params.model(chosen), params.recipe(chosen), params.paths
    normalized = params.embed.mean_normalization
    vocabulary = load_dataset(paths.clips).vocabulary
    outcome = study(
        model,
        {
            split: open_examples(paths.audio, paths.embeddings, split, vocabulary)
            for split in SPLITS
        },
        load_backbone(params.backbone, normalized),
        paths.yamnet,
        Settings(recipe, params.evaluate.batch_size, params.ablation.resamples),
        seed=int(seed),
    )
    about = {
        "model": chosen,
        "seed": int(seed),
        "data_sha256": data_sha256(paths.clips, paths.audio, paths.yamnet, normalized),
    }
    outcome.save(paths.study(chosen, int(seed)), about | model.about(recipe))


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
