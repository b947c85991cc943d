"""Train and evaluate a variant with one more seed, or an ingredient of `plus` with one."""

import sys

from lean_audio.backbone import load_backbone
from lean_audio.batches import open_examples
from lean_audio.datasets import SPLITS, load_dataset
from lean_audio.errors import run_stage
from lean_audio.params import load_params
from lean_audio.study import Settings, study


def main(chosen: str, seed: str) -> None:
    params = load_params()
    model, paths = params.model(chosen), params.paths
    vocabulary = load_dataset(paths.clips).vocabulary
    outcome = study(
        model,
        {
            split: open_examples(paths.audio, paths.embeddings, split, vocabulary)
            for split in SPLITS
        },
        load_backbone(params.backbone, params.embed.mean_normalization),
        paths.yamnet,
        Settings(params.recipe(chosen), params.evaluate.batch_size, params.ablation.resamples),
        seed=int(seed),
    )
    outcome.save(
        paths.study(chosen, int(seed)), {"model": chosen, "seed": int(seed)} | model.about()
    )


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
