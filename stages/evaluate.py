"""Score the evaluation clips with one trained variant and measure it."""

import sys

from lean_audio.backbone import load_backbone
from lean_audio.batches import open_examples
from lean_audio.chunks import open_chunks
from lean_audio.datasets import load_dataset
from lean_audio.errors import run_stage
from lean_audio.evaluation import evaluate
from lean_audio.files import read_json, write_json
from lean_audio.notices import print_notices
from lean_audio.params import load_params


def main(variant: str) -> None:
    params = load_params()
    model, paths = params.variant(variant), params.paths
    backbone = load_backbone(params.backbone, params.embed.mean_normalization)
    vocabulary = load_dataset(paths.clips).vocabulary
    examples = open_examples(paths.audio, paths.embeddings, "eval", vocabulary)
    train_targets = open_chunks(paths.audio, "train", vocabulary).clip_targets
    provenance = read_json(paths.metrics / "provenance.json")
    training = read_json(paths.metrics / f"{variant}.training.json")
    weights, resamples = paths.weights(variant), params.ablation.resamples
    result = evaluate(model, backbone, weights, examples, train_targets, params.evaluate, resamples)
    result.save_scores(paths.scores(variant))
    result.save_tables(paths.metrics, variant)
    write_json(paths.metrics / f"{variant}.json", result.summary(provenance, training))
    print_notices(provenance)


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
