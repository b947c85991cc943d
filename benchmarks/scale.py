"""Prepare, embed and one epoch of training on 50,000 clips and on a tenth of them.

`python -m benchmarks scale [clips]` prints Markdown and writes benchmarks/scale.csv. What it says
of FSD50K and AudioSet is a projection, never a measurement.
"""

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import soundfile

from benchmarks.memory import read_sounds, run_yamnet
from lean_audio.audio.decode import SAMPLE_RATE_HZ
from lean_audio.datasets.layout import SPLITS
from lean_audio.files import write_csv

CLIPS, TIMES = 50_000, 10
SHORTEST_S, LONGEST_S = 0.3, 0.6
ROW_BYTES = 18_432  # 4,608 numbers a chunk: YAMNet's embedding and embed.layers
STAGES = {"prepare": (), "embed": (), "train": ("joint-bahdanau",)}
LOOK_EVERY_S = 0.05
RESULTS = Path(__file__).with_suffix(".csv")
CORES = (2, 8, 32, 128)
DECODED_PER_CORE = 2_000  # seconds of 44.1-kHz sound a second, below what benchmarks/decode finds


@dataclass(frozen=True)
class Corpus:
    """What a projection assumes. chunks: of all splits; train_chunks: seen in an epoch."""

    name: str
    clips: int
    hours: float
    chunks: int
    train_chunks: int


CORPORA = (
    Corpus("FSD50K", 51_197, 108.3, 570_000, 365_000),
    Corpus("AudioSet", 2_000_000, 2_000_000 * 10 / 3600, 20_000_000, 20_000_000),
)
ASSUMPTIONS = f"""
**Projection, not measured.** Time grows with the number of clips and of chunks as it did between
the two sizes above, start-up aside. Longer sounds cost prepare one second a core for each
{DECODED_PER_CORE:,} s of 44.1-kHz sound. Prepare and embed keep N equal cores busy and the disk
keeps up; train runs on one machine like this one, whatever N. FSD50K: 108.3 h, 51,197 clips, about
290,000 chunks to train on (1 s apart), 75,000 for validation and 205,000 for evaluation (0.5 s
apart). AudioSet: 2,000,000 clips of 10 s, ten chunks each.
"""


def write_sounds(root: Path, clips: int) -> None:
    """Short noise in FSD50K layout: of ten clips eight to train on, one each for the others."""
    truth = root / "FSD50K.ground_truth"
    for folder in ("FSD50K.dev_audio", "FSD50K.eval_audio", truth.name):
        (root / folder).mkdir(parents=True)
    labels = [f"label{number}" for number in range(200)]
    vocabulary = "".join(f"{number},{label},\n" for number, label in enumerate(labels))
    (truth / "vocabulary.csv").write_text(vocabulary)
    splits = [("eval", "val", *["train"] * 8)[number % 10] for number in range(clips)]
    table = pd.DataFrame({"fname": range(clips), "split": splits})
    table["labels"] = [labels[number % len(labels)] for number in range(clips)]
    table[table["split"] != "eval"].to_csv(truth / "dev.csv", index=False)
    table[table["split"] == "eval"].drop(columns="split").to_csv(truth / "eval.csv", index=False)
    rng = np.random.default_rng(0)
    for number, split in enumerate(splits):
        samples = round(rng.uniform(SHORTEST_S, LONGEST_S) * SAMPLE_RATE_HZ)
        noise = rng.integers(-3000, 3000, samples, dtype=np.int16)
        folder = f"FSD50K.{'eval' if split == 'eval' else 'dev'}_audio"
        soundfile.write(root / folder / f"{number}.flac", noise, SAMPLE_RATE_HZ)


def set_up(project: Path, clips: int) -> None:
    """A directory in which the stages can run as they do in the project's own."""
    text = Path("params.yaml").read_text()
    for old, new in (("dataset: demo", "dataset: folder"), ("epochs: 40", "epochs: 1")):
        if old not in text:
            raise SystemExit(f"params.yaml does not say {old!r}, as it does when it is new")
        text = text.replace(old, new)
    data = project / "data" / "folder"
    write_sounds(project / "sounds", clips)
    data.mkdir(parents=True)
    (data / "sounds").symlink_to(project / "sounds")
    read_sounds(data)
    run_yamnet(data)
    (project / "params.yaml").write_text(text)


def peak_mb(pid: int) -> float:
    """The kernel's own high-water mark of resident memory; 0 when the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def run_stage(project: Path, stage: str) -> tuple[float, list[float]]:
    """Seconds, and the peak MB of the stage's process and of each one it started, itself first."""
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", f"stages.{stage}", *STAGES[stage]]
    start = time.perf_counter()
    with (project / "log").open("w+") as log:
        child = psutil.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)
        peaks: dict[int, float] = {}
        while child.poll() is None:
            for pid in [child.pid, *(process.pid for process in child.children(recursive=True))]:
                peaks[pid] = max(peak_mb(pid), peaks.get(pid, 0.0))
            time.sleep(LOOK_EVERY_S)
        if child.returncode:
            raise SystemExit((project / "log").read_text())
    took_s = time.perf_counter() - start
    return took_s, [peaks.pop(child.pid), *sorted(peaks.values(), reverse=True)]


def measure(project: Path, clips: int) -> list[dict[str, object]]:
    """One row a stage, in the CSV's columns."""
    rows = []
    for stage in STAGES:
        took_s, peaks_mb = run_stage(project, stage)
        audio = project / "data" / "folder" / "audio"
        splits = ("train", "val") if stage == "train" else SPLITS
        tables = [pd.read_parquet(audio / f"{split}.parquet") for split in splits]
        samples = pd.read_parquet(audio / "clips.parquet").query("split in @splits")["samples"]
        rows.append(
            {
                "stage": stage,
                "clips": clips,
                "audio_s": round(samples.sum() / SAMPLE_RATE_HZ, 1),
                "chunks": sum(map(len, tables)),
                "wall_s": round(took_s, 2),
                "main_peak_mb": round(peaks_mb[0], 1),
                "worker_peak_mb": round(max(peaks_mb[1:], default=0), 1),
                "processes": len(peaks_mb),
                "cores": len(os.sched_getaffinity(0)),
            }
        )
    return rows


def markdown(table: pd.DataFrame) -> str:
    lines = [table.columns, ["---:"] * len(table.columns), *table.astype(str).to_numpy()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def growth(table: pd.DataFrame) -> pd.DataFrame:
    """Peak memory of the larger run over that of the smaller; 1.15 is the most that is wanted."""
    small, large = (table.iloc[: len(STAGES)], table.iloc[len(STAGES) :])
    ratios = {"stage": list(STAGES)}
    for name in ("main_peak_mb", "worker_peak_mb"):
        ratio = large[name].to_numpy() / np.maximum(small[name].to_numpy(), 1)
        ratios[name] = [f"{value:.2f}" for value in ratio]
    rate = (large["audio_s"] / large["wall_s"]).to_numpy()
    return pd.DataFrame({**ratios, "audio s/s": [f"{value:.0f}" for value in rate]})


def seconds_for(corpus: Corpus, table: pd.DataFrame, cores: int) -> dict[str, float]:
    """Of each stage on so many cores, by the two sizes measured; train: one epoch, one machine."""
    by_stage = dict(iter(table.groupby("stage")))
    share = table["cores"].iloc[0] / cores

    def per(stage: str, column: str) -> float:
        """Seconds for one more clip or chunk."""
        more = by_stage[stage][["wall_s", column]].diff().iloc[-1]
        return more["wall_s"] / more[column]

    decoding_s = corpus.hours * 3600 / DECODED_PER_CORE / cores
    return {
        "prepare": corpus.clips * per("prepare", "clips") * share + decoding_s,
        "embed": corpus.chunks * per("embed", "chunks") * share,
        "train": corpus.train_chunks * per("train", "chunks"),
    }


def project_to(corpus: Corpus, table: pd.DataFrame, cores: int) -> dict[str, str]:
    took_s = seconds_for(corpus, table, cores)
    return {
        "corpus": corpus.name,
        "cores": str(cores),
        "prepare": f"{took_s['prepare'] / 3600:.2f} h",
        "embed": f"{took_s['embed'] / 3600:.2f} h",
        "an epoch of training": f"{took_s['train'] / 3600:.2f} h",
        "audio": f"{corpus.hours * 3600 * 2 * SAMPLE_RATE_HZ / 1e9:.0f} GB",
        "embeddings": f"{corpus.chunks * ROW_BYTES / 1e9:.0f} GB",
    }


def main(clips: int) -> None:
    rows = []
    for number in (clips // TIMES, clips):
        with tempfile.TemporaryDirectory() as name:
            set_up(Path(name), number)
            rows += measure(Path(name), number)
    table = pd.DataFrame(rows)
    write_csv(RESULTS, table)
    print(
        markdown(table), f"\nPeak memory, {TIMES} x the clips (wanted: at most 1.15):\n", sep="\n"
    )
    print(markdown(growth(table)), ASSUMPTIONS, sep="\n")
    rows = [project_to(corpus, table, cores) for corpus in CORPORA for cores in CORES]
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else CLIPS)
