"""Review the labels of all splits at once: which ones do out-of-sample scores contradict?"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from lean_audio.audio.decode import SAMPLE_RATE_HZ
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.datasets.layout import Dataset
from lean_audio.features.cache import Embeddings
from lean_audio.features.chunks import Chunks, open_chunks
from lean_audio.files import atomic_directory, write_csv, write_json
from lean_audio.metrics.average_precision import mean_average_precision
from lean_audio.metrics.bootstrap import class_intervals
from lean_audio.metrics.confusions import confusions
from lean_audio.metrics.rounding import DECIMALS, rounded
from lean_audio.metrics.summary import per_class
from lean_audio.review.doubts import MISSING, UNLIKELY, find_doubts
from lean_audio.review.out_of_sample import FOLDS, clip_features, score_out_of_sample

LISTED = 200  # doubted labels of each kind in doubts.csv
PLAYED = 10  # of each kind whose sound is written
LONGEST_S = 30  # of a sound that is written


@dataclass(frozen=True)
class LabelReview:
    """about: one number each; doubts: the table of doubts.csv, with the sounds' file names."""

    about: dict[str, Any]
    doubts: pd.DataFrame
    splits: dict[str, Chunks]

    def save_sounds(self, folder: Path) -> None:
        """Write the sounds that `doubts` names as MP3, at most LONGEST_S of each."""
        with atomic_directory(folder) as temporary:
            for doubt in self.doubts[self.doubts["sound"] != ""].itertuples():
                chunks = self.splits[doubt.split]
                row = int(np.flatnonzero(chunks.clips["clip"] == doubt.clip)[0])
                samples = chunks.clip_samples(row)[: LONGEST_S * SAMPLE_RATE_HZ]
                soundfile.write(temporary / doubt.sound, samples, SAMPLE_RATE_HZ, format="MP3")


def review_labels(dataset: Dataset, audio: Path, embeddings: Path) -> LabelReview:
    """Cross-validate heads over all clips, and list the labels that their scores contradict.

    audio, embeddings: directories of samples and features, one per split. Clips of one group, and
    identical ones, are scored together by heads that saw none of them.
    """
    splits = {split: open_chunks(audio / place) for split, place in SPLIT_FOLDERS.items()}
    features = [
        clip_features(chunks, Embeddings(embeddings / SPLIT_FOLDERS[split]))
        for split, chunks in splits.items()
    ]
    targets = np.concatenate([chunks.clip_targets for chunks in splits.values()])
    clips = _listed(dataset, splits)
    named = clips["group"].where(clips["group"] != "", clips["checksum"])
    scores = score_out_of_sample(np.concatenate(features), targets, pd.factorize(named)[0])
    scores = scores.round(DECIMALS)  # the last bits differ with the processor
    doubts = find_doubts(targets, scores, dataset.vocabulary)
    about = {
        "folds": FOLDS,
        "clips": len(clips),
        "mAP": mean_average_precision(targets, scores),
        "unlikely": int((doubts["kind"] == UNLIKELY).sum()),
        "missing": int((doubts["kind"] == MISSING).sum()),
    }
    return LabelReview(about, _named(doubts, clips), splits)


def _listed(dataset: Dataset, splits: dict[str, Chunks]) -> pd.DataFrame:
    """Return what is known of the usable clips, in the order of their rows."""
    tables = [chunks.clips[["clip"]].assign(split=split) for split, chunks in splits.items()]
    usable = pd.concat(tables, ignore_index=True)
    return usable.merge(dataset.clips, on=["split", "clip"], how="left", validate="1:1")


def _named(doubts: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """Say which clips are doubted, with file and labels; name the first ones' sounds."""
    listed = doubts[doubts["rank"] <= LISTED].reset_index(drop=True)
    about = clips.loc[listed["row"], ["clip", "split", "file", "labels"]].reset_index(drop=True)
    about["labels"] = about["labels"].map(",".join)
    kind = listed["kind"].str.split().str[0]
    sound = kind + "-" + listed["rank"].astype(str).str.zfill(2) + ".mp3"
    sound = sound.where(listed["rank"] <= PLAYED, "")
    columns = ["label", "score", "better", "better_score"]
    return pd.concat(
        [listed[["kind", "rank"]], about, listed[columns], sound.rename("sound")], axis=1
    )


def review_scores(
    chunks: Chunks, scores: np.ndarray, resamples: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure a model's scores of the evaluation clips, label by label.

    Returns the tables of classes.csv (label, positives, AP, and the interval from low to high) and
    of confusions.csv, see metrics.confusions.
    """
    targets, labels = chunks.clip_targets, chunks.vocabulary
    classes = per_class(targets, scores, labels)[["label", "positives", "AP"]]
    classes = pd.concat([classes, class_intervals(targets, scores, resamples)], axis=1)
    return classes, confusions(targets, scores, labels)


def save_review(
    folder: Path,
    about: dict[str, Any],
    doubts: pd.DataFrame,
    classes: pd.DataFrame,
    confused: pd.DataFrame,
) -> None:
    """Write review.json, doubts.csv, classes.csv and confusions.csv."""
    with atomic_directory(folder) as temporary:
        write_json(temporary / "review.json", rounded(about))
        for name, table in (("doubts", doubts), ("classes", classes), ("confusions", confused)):
            write_csv(temporary / f"{name}.csv", rounded(table))
