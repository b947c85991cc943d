"""Score the evaluation clips with one trained model and measure the scores."""

import numpy as np

import lean_audio.quiet_keras  # noqa: F401
from lean_audio.backbones.base import load_backbone
from lean_audio.config.params import load_params
from lean_audio.files import atomic_file, sha256
from lean_audio.metrics.evaluate import evaluate
from lean_audio.training.batches import open_examples
from lean_audio.training.heads import read_head
from lean_audio.training.scoring import score_clips
from stages import run_stage


def main(model: str, seed: int) -> str:
    params = load_params()
    params.model(model)  # or an error that names the models
    paths, files = params.paths, params.paths.training(model, seed)
    examples = open_examples(paths.audio, paths.embeddings, "eval")
    chunks = examples.chunks
    backbone = load_backbone(params.backbone, params.embed.mean_normalization)
    scores = score_clips(read_head(files.head).open(len(chunks.vocabulary), backbone), examples)
    with atomic_file(files.scores) as temporary:
        np.save(temporary, scores)
    measured = evaluate(chunks.clip_targets, scores, chunks.vocabulary, params.evaluate)
    measured.save(files.record, examples.embeddings.data_sha256, sha256(files.weights))
    mean_ap = measured.metrics["mAP"]
    return "no labelled clip" if mean_ap is None else f"evaluation mAP {mean_ap:.4f}"


if __name__ == "__main__":
    run_stage(main)
