"""Find the labels that out-of-sample scores contradict, and those that the model confuses."""

import numpy as np

from lean_audio.config.params import load_params
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.datasets.layout import load_dataset
from lean_audio.features.chunks import open_chunks
from lean_audio.review.labels import review_labels, review_scores, save_review
from stages import run_stage


def main() -> str:
    params = load_params()
    paths = params.paths
    found = review_labels(load_dataset(paths.clips), paths.audio, paths.embeddings)
    scores = np.load(paths.headline_scores)
    evaluated = open_chunks(paths.audio / SPLIT_FOLDERS["eval"])
    tables = review_scores(evaluated, scores, params.evaluate.resamples)
    about = {"variant": params.shown, "seed": params.seed, **found.about}
    save_review(paths.review, about, found.doubts, *tables)
    found.save_sounds(paths.doubted_sounds)
    if params.synthetic:  # labels are right by construction
        return f"{len(tables[1]):,} pairs of labels confused"
    return f"{about['unlikely']:,} labels may be wrong, {about['missing']:,} may be missing"


if __name__ == "__main__":
    run_stage(main)
