"""Train one ablation variant on cached embeddings."""

import sys

from lean_audio.batches import open_examples
from lean_audio.datasets import load_dataset
from lean_audio.errors import run_stage
from lean_audio.files import write_csv, write_json
from lean_audio.live import follow
from lean_audio.params import load_params
from lean_audio.training import train


def main(variant: str) -> None:
    params = load_params()
    chosen, paths = params.variant(variant), params.paths
    vocabulary = load_dataset(paths.clips).vocabulary
    training, validation = (
        open_examples(paths.audio, paths.embeddings, split, vocabulary, params.embed.shard_chunks)
        for split in ("train", "val")
    )
    with follow(params, variant) as live:
        run = train(
            chosen,
            training,
            validation,
            params.train,
            seed=params.seed,
            score_batch_size=params.evaluate.batch_size,
            callbacks=[live],
        )
        run.save_weights(paths.weights(variant))
    write_csv(paths.metrics / f"{variant}.history.csv", run.history)
    settings = {**params.train.model_dump(), "seed": params.seed, "best_epoch": run.best_epoch}
    write_json(paths.metrics / f"{variant}.training.json", settings)


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
