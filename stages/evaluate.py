"""Measure one trained variant by its scores of the evaluation clips."""

import sys

import numpy as np

from lean_audio.config.params import load_params
from lean_audio.datasets.layout import load_dataset
from lean_audio.errors import run_stage
from lean_audio.evaluation.evaluate import evaluate
from lean_audio.features.chunks import open_chunks
from lean_audio.files import read_json, write_json
from lean_audio.notices import print_notices


def main(variant: str) -> None:
    params = load_params()
    params.variant(variant)  # or an error that names the variants
    paths = params.paths
    vocabulary = load_dataset(paths.clips).vocabulary
    chunks = open_chunks(paths.audio, "eval", vocabulary)
    train_targets = open_chunks(paths.audio, "train", vocabulary).clip_targets
    provenance = read_json(paths.metrics / "provenance.json")
    training = read_json(paths.metrics / f"{variant}.training.json")
    scores, resamples = np.load(paths.scores(variant)), params.ablation.resamples
    result = evaluate(scores, chunks, train_targets, params.evaluate, resamples)
    result.save_tables(paths.metrics, variant)
    write_json(paths.metrics / f"{variant}.json", result.summary(provenance, training))
    print_notices(provenance)


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
