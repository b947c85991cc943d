"""Small data for the tests."""

import itertools
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from lean_audio.config.params import Params, load_source

ROOT = Path(__file__).parents[1]
ALL_VARIANTS = (
    *("yamnet", "yamnet-projection", "joint-none", "joint-affinity", "joint-bahdanau"),
    "plus",
)
VARIANTS = ("joint-affinity", "joint-bahdanau")  # of the pipeline's tests
RUNS = {f"{variant}-1" for variant in VARIANTS}
TIMEOUTS_S = itertools.count(60)


def write_layout(root: Path, clips: dict[str, tuple[str, str]], rate_hz: int = 16_000) -> Path:
    """Noise clips in FSD50K layout; clips: name -> (split, labels). Vocabulary: Bark, Dog."""
    truth = root / "FSD50K.ground_truth"
    for folder in ("FSD50K.dev_audio", "FSD50K.eval_audio", truth.name):
        (root / folder).mkdir(parents=True)
    (truth / "vocabulary.csv").write_text("0,Bark,/m/05tny_\n1,Dog,/m/0bt9lr\n")
    table = pd.DataFrame(
        [(name, labels, split) for name, (split, labels) in clips.items()],
        columns=["fname", "labels", "split"],
    )
    table[table["split"] != "eval"].to_csv(truth / "dev.csv", index=False)
    table[table["split"] == "eval"].drop(columns="split").to_csv(truth / "eval.csv", index=False)
    for number, (name, (split, _)) in enumerate(clips.items()):
        part = "eval" if split == "eval" else "dev"
        noise = np.random.default_rng(number).uniform(-0.5, 0.5, rate_hz + 100 * number)
        soundfile.write(root / f"FSD50K.{part}_audio" / f"{name}.wav", noise, rate_hz)
    return root


def of_dataset(params: Params, name: str) -> Params:
    """Return the settings with another dataset; the demo trains all models alike."""
    return params.model_copy(update={"dataset": name, "source": load_source(name, ROOT)})


def clip_table(lengths: list[int]) -> pd.DataFrame:
    """The clip table of one split whose clips lie one after the other in one shard."""
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return pd.DataFrame(
        {
            "clip": [f"clip{number}" for number in range(len(lengths))],
            "labels": ([("Dog",), ("Bark", "Dog"), ()] * len(lengths))[: len(lengths)],
            "shard": 0,
            "offset": offsets,
            "samples": lengths,
        }
    )


def wait_for(url: str, most_s: float = 120) -> None:
    """Until the server at `url` answers."""
    until = time.monotonic() + most_s
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310
            return
        except OSError:
            assert time.monotonic() < until, f"{url} does not answer"
            time.sleep(0.5)


def local(root: Path) -> str:
    """The URI of the runs of a working copy.

    Never the same twice: MLflow keeps a connection, which would outlive a deleted database.
    """
    return f"sqlite:///{root}/mlruns/mlflow.db?timeout={next(TIMEOUTS_S)}"


def runs(uri: str, dataset: str = "demo") -> list[Any]:
    """The runs of a dataset's experiment in MLflow."""
    from mlflow.tracking import MlflowClient  # a second that few tests need

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(f"lean-{dataset}")
    return list(client.search_runs([experiment.experiment_id]))
