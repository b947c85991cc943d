"""Train one variant on cached features, and score the evaluation clips with it."""

import sys
from functools import partial

from lean_audio.backbones.base import load_backbone
from lean_audio.config.params import load_params
from lean_audio.datasets.layout import load_dataset
from lean_audio.errors import run_stage
from lean_audio.features.provenance import data_sha256
from lean_audio.files import write_csv, write_json
from lean_audio.tracking.live import follow
from lean_audio.training.batches import open_examples
from lean_audio.training.fit import train
from lean_audio.training.scoring import save_scores
from lean_audio.training.strategy import is_chief


def main(variant: str) -> None:
    params = load_params()
    model, settings, paths = params.variant(variant), params.recipe(variant), params.paths
    normalized, size = params.embed.mean_normalization, params.evaluate.batch_size
    backbone = load_backbone(params.backbone, normalized)
    labels = load_dataset(paths.clips).vocabulary
    opened = partial(open_examples, paths.audio, paths.embeddings, vocabulary=labels)
    data = (opened("train"), opened("val"), settings, backbone, paths.yamnet)
    work = partial(train, model, *data, seed=params.seed, score_batch_size=size)
    if not is_chief(settings.strategy):
        return work()  # for the chief, which writes what comes out
    with follow(params, variant) as live:
        (run := work(callbacks=[live])).save_weights(paths.weights(variant))
        save_scores(paths.scores(variant), run.model, opened("eval"), size)
    write_csv(paths.metrics / f"{variant}.history.csv", run.history)
    data_hash = data_sha256(paths.clips, paths.audio, paths.yamnet, normalized)
    facts = {"seed": params.seed, "data_sha256": data_hash} | model.about(settings) | run.facts
    write_json(paths.metrics / f"{variant}.training.json", settings.model_dump() | facts)


if __name__ == "__main__":
    run_stage(main, *sys.argv[1:])
