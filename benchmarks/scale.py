"""Run prepare, embed and one epoch of training on 50,000 clips and on a tenth of them.

`python -m benchmarks scale [clips]` prints Markdown and writes benchmarks/scale.csv. The figures
for FSD50K and AudioSet are projections, never measurements.
"""

import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import soundfile

from benchmarks.memory import read_sounds, run_embedder
from lean_audio.audio.decode import SAMPLE_RATE_HZ
from lean_audio.config.params import MODELS_FILE
from lean_audio.config.paths import SPLIT_FOLDERS, Paths
from lean_audio.datasets.layout import SPLITS
from lean_audio.features.chunks import CHUNKS_FILE, CLIPS_FILE
from lean_audio.files import write_csv

CLIPS, TIMES = 50_000, 10
SHORTEST_S, LONGEST_S = 0.3, 0.6
ROW_BYTES = 18_432  # per chunk: 4,608 numbers, YAMNet's embedding and embed.layers
STAGES = {"prepare": (), "embed": (), "train": ("--model", "joint-bahdanau", "--seed", "1")}
POLL_S = 0.05
RESULTS = Path(__file__).with_suffix(".csv")
CORES = (2, 8, 32, 128)
DECODED_PER_CORE = 2_000  # seconds of 44.1-kHz sound per second; benchmarks/decode.py finds more


@dataclass(frozen=True)
class Corpus:
    """What a projection assumes.

    chunks: in all splits; train_chunks: per epoch, those for validation included.
    """

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
**Projection, not a measurement.** Assumptions: apart from start-up, time grows with the number of
clips and chunks as it did between the two sizes above. Decoding takes prepare one more second per
core for every {DECODED_PER_CORE:,} s of 44.1-kHz sound. Prepare and embed keep all cores busy, and
the disk keeps up. Training runs on one machine like this one, however many cores the others use.
FSD50K: 108.3 h, 51,197 clips, about 290,000 chunks for training (hop 1 s), 75,000 for validation
and 205,000 for evaluation (hop 0.5 s). AudioSet: 2,000,000 clips of 10 s, ten chunks each.
"""


def write_sounds(root: Path, clips: int) -> None:
    """Write short noise in FSD50K layout: 80 % of the clips to train on, 10 % per other split."""
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
    """Make a directory in which the stages run as they do in the project's own."""
    text = Path("params.yaml").read_text()
    for old, new in (("dataset: demo", "dataset: sounds"), ("epochs: 40", "epochs: 1")):
        if old not in text:
            raise SystemExit(f"params.yaml has been changed: it lacks {old!r}")
        text = text.replace(old, new)
    (project / "params.yaml").write_text(text)
    shutil.copy(MODELS_FILE, project)
    shutil.copytree("datasets", project / "datasets")
    data = project / Paths("sounds").data
    write_sounds(project / "sounds", clips)
    read_sounds(project / "sounds", data / "clips")
    run_embedder(data)


def peak_mb(pid: int) -> float:
    """Read the kernel's high-water mark of resident memory; 0 if the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def run_stage(project: Path, stage: str) -> tuple[float, list[float]]:
    """Run a stage; return its seconds and the peak MB of its processes, the main one first."""
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", f"stages.{stage}", *STAGES[stage]]
    start = time.perf_counter()
    with (project / "log").open("w+") as log:
        child = psutil.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)
        peaks: dict[int, float] = {}
        while child.poll() is None:
            for pid in [child.pid, *(process.pid for process in child.children(recursive=True))]:
                peaks[pid] = max(peak_mb(pid), peaks.get(pid, 0.0))
            time.sleep(POLL_S)
        if child.returncode:
            raise SystemExit((project / "log").read_text())
    took_s = time.perf_counter() - start
    return took_s, [peaks.pop(child.pid), *sorted(peaks.values(), reverse=True)]


def measure(project: Path, clips: int) -> list[dict[str, object]]:
    """Run all stages; return one row per stage, with the columns of scale.csv."""
    rows = []
    for stage in STAGES:
        took_s, peaks_mb = run_stage(project, stage)
        audio = project / Paths("sounds").audio
        splits = ("train", "val") if stage == "train" else SPLITS
        folders = [audio / SPLIT_FOLDERS[split] for split in splits]
        samples = pd.concat(pd.read_parquet(folder / CLIPS_FILE)["samples"] for folder in folders)
        chunks = sum(len(pd.read_parquet(folder / CHUNKS_FILE)) for folder in folders)
        rows.append(
            {
                "stage": stage,
                "clips": clips,
                "audio_s": round(samples.sum() / SAMPLE_RATE_HZ, 1),
                "chunks": chunks,
                "wall_s": round(took_s, 2),
                "main_peak_mb": round(peaks_mb[0], 1),
                "worker_peak_mb": round(max(peaks_mb[1:], default=0), 1),
                "processes": len(peaks_mb),
                "cores": len(os.sched_getaffinity(0)),
            }
        )
    return rows


def markdown(table: pd.DataFrame) -> str:
    """Format a table as Markdown."""
    lines = [table.columns, ["---:"] * len(table.columns), *table.astype(str).to_numpy()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def growth(table: pd.DataFrame) -> pd.DataFrame:
    """Tabulate peak memory of the larger run relative to the smaller one; the limit is 1.15."""
    small, large = (table.iloc[: len(STAGES)], table.iloc[len(STAGES) :])
    ratios = {"stage": list(STAGES)}
    for name in ("main_peak_mb", "worker_peak_mb"):
        ratio = large[name].to_numpy() / np.maximum(small[name].to_numpy(), 1)
        ratios[name] = [f"{value:.2f}" for value in ratio]
    rate = (large["audio_s"] / large["wall_s"]).to_numpy()
    return pd.DataFrame({**ratios, "audio s/s": [f"{value:.0f}" for value in rate]})


def seconds_for(corpus: Corpus, table: pd.DataFrame, cores: int) -> dict[str, float]:
    """Project the seconds of each stage from the two sizes measured.

    prepare and embed: on `cores` cores; train: one epoch on the machine that was measured.
    """
    by_stage = dict(iter(table.groupby("stage")))
    speed = cores / table["cores"].iloc[0]

    def per(stage: str, column: str) -> float:
        """Return the seconds that one more clip or chunk takes."""
        more = by_stage[stage][["wall_s", column]].diff().iloc[-1]
        return more["wall_s"] / more[column]

    decoding_s = corpus.hours * 3600 / DECODED_PER_CORE / cores
    return {
        "prepare": corpus.clips * per("prepare", "clips") / speed + decoding_s,
        "embed": corpus.chunks * per("embed", "chunks") / speed,
        "train": corpus.train_chunks * per("train", "chunks"),
    }


def project_to(corpus: Corpus, table: pd.DataFrame, cores: int) -> dict[str, str]:
    """Return one row of the projection: hours per stage, and disk."""
    took_s = seconds_for(corpus, table, cores)
    return {
        "corpus": corpus.name,
        "cores": str(cores),
        "prepare": f"{took_s['prepare'] / 3600:.2f} h",
        "embed": f"{took_s['embed'] / 3600:.2f} h",
        "one epoch of training": f"{took_s['train'] / 3600:.2f} h",
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
    print(markdown(table), f"\nPeak memory, {TIMES} x the clips (limit: 1.15):\n", sep="\n")
    print(markdown(growth(table)), ASSUMPTIONS, sep="\n")
    rows = [project_to(corpus, table, cores) for corpus in CORPORA for cores in CORES]
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else CLIPS)
