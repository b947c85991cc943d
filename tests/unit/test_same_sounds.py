"""The same real sounds in every layout are the same data."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from own_sounds import read

from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.datasets.layout import Dataset
from lean_audio.datasets.names import SPLITS
from lean_audio.features.chunks import DATA_FILE
from lean_audio.features.embed import embed
from lean_audio.features.prepare import prepare
from lean_audio.files import read_json, sha256

QUOTA = {"train": 40, "val": 10, "eval": 10}


def choose(dataset: Dataset, labels: int | None) -> list[dict]:
    """60 clips in the splits that they have; labels: how many each has."""
    left, chosen = Counter(QUOTA), []
    for row in dataset.clips.to_dict("records"):
        if left[row["split"]] and labels in (None, len(row["labels"])):
            left[row["split"]] -= 1
            chosen.append(row)
    return chosen


def link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source)


def write_csv(path: Path, header: list[str], rows: list[list], separator: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=separator).writerows([header, *rows] if header else rows)


def as_fsd50k(source: Path, clips: list[dict], root: Path) -> None:
    truth = root / "FSD50K.ground_truth"
    labels = sorted({label for clip in clips for label in clip["labels"]})
    write_csv(truth / "vocabulary.csv", [], [[n, label] for n, label in enumerate(labels)])
    rows = [[clip["clip"], ",".join(clip["labels"]), clip["split"]] for clip in clips]
    dev = [row for row in rows if row[2] != "eval"]
    write_csv(truth / "dev.csv", ["fname", "labels", "split"], dev)
    write_csv(truth / "eval.csv", ["fname", "labels"], [r[:2] for r in rows if r[2] == "eval"])
    for clip in clips:
        link(source / clip["file"], root / clip["file"])


def as_table(source: Path, clips: list[dict], root: Path) -> None:
    rows = [[Path(c["file"]).name, "|".join(c["labels"]), c["split"]] for c in reversed(clips)]
    write_csv(root / "meta" / "clips.tsv", ["Filename", "Tags", "Split"], rows, "\t")
    for number, clip in enumerate(clips):
        link(source / clip["file"], root / "audio" / str(number % 3) / Path(clip["file"]).name)


def as_tree(source: Path, clips: list[dict], root: Path) -> None:
    for clip in clips:
        name = Path(clip["file"]).name
        link(source / clip["file"], root / clip["split"] / clip["labels"][0] / name)


def fingerprints(
    dataset: Dataset, root: Path, folder: Path, params, embedder: Path
) -> dict[str, str]:
    """What identifies the data of each split, and every file of its embeddings."""
    tables = folder / "set_aside.csv", folder / "counts.csv"
    prepare(dataset, root, folder / "audio", *tables, params.prepare, workers=1)
    audio, features = folder / "audio", folder / "embeddings"
    embed(audio, embedder, features, workers=1)
    marks = {s: read_json(audio / SPLIT_FOLDERS[s] / DATA_FILE)["data_sha256"] for s in SPLITS}
    shards = sorted(features.rglob("*.f32"))
    assert len(shards) == len(SPLITS)
    return marks | {str(path.relative_to(features)): sha256(path) for path in shards}


@pytest.fixture(scope="module")
def everything(real_sounds) -> Dataset:
    return read(real_sounds)


@pytest.mark.parametrize(("other", "labels"), [(as_table, None), (as_table, 1), (as_tree, 1)])
def test_a_layout_changes_nothing(
    real_sounds, everything, tmp_path, params, small_embedder, other, labels
):
    clips = choose(everything, labels)
    assert len(clips) == 60
    seen = []
    for write in (as_fsd50k, other):
        root = tmp_path / write.__name__
        write(real_sounds, clips, root)
        dataset = read(root)
        marks = fingerprints(
            dataset, root, tmp_path / f"{write.__name__}.out", params, small_embedder
        )
        same = dataset.clips[["clip", "split", "labels", "checksum"]].to_dict("list")
        seen.append((same, dataset.vocabulary, marks))
    assert seen[0] == seen[1]
