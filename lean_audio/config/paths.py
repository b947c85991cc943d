"""Where each file of the pipeline lives, below the project's root directory."""

from dataclasses import dataclass
from pathlib import Path

from lean_audio.errors import LeanError

# What trainings depend on apart from what evaluations do; dev and eval are FSD50K's terms.
SPLIT_FOLDERS = {"train": "dev/train", "val": "dev/val", "eval": "eval"}
HEAD_WEIGHTS = "head.weights.h5"


def settings_file(dataset: str) -> Path:
    """Return the file of a dataset's own settings."""
    return Path("datasets", dataset, "params.yaml")


def check_links() -> None:
    """Raise LeanError if a directory that DVC writes to is a link: DVC fails once it is full."""
    for top in map(Path, ("data", "models", "metrics", "report")):
        for path in (top, *top.glob("*")):
            if path.is_symlink():
                raise LeanError(
                    f"{path} is a symbolic link to {path.readlink()}: DVC cannot keep files "
                    "outside the project; move the whole project to that disk"
                )


@dataclass(frozen=True)
class TrainingPaths:
    """Files of one training: a model and a seed.

    head: directory of the trained head; scores: evaluation scores; record: directory of what the
    training and its evaluation measured.
    """

    head: Path
    scores: Path
    record: Path

    @property
    def weights(self) -> Path:
        return self.head / HEAD_WEIGHTS


@dataclass(frozen=True)
class Paths:
    """Files of one dataset; datasets never share a file."""

    dataset: str

    @property
    def data(self) -> Path:
        return Path("data", self.dataset)

    @property
    def models(self) -> Path:
        return Path("models", self.dataset)

    @property
    def metrics(self) -> Path:
        return Path("metrics", self.dataset)

    @property
    def report(self) -> Path:
        return Path("report", self.dataset)

    @property
    def tracked(self) -> Path:
        return Path("mlruns", self.dataset, "tracked.json")

    @property
    def raw(self) -> Path:
        return self.data / "raw"

    @property
    def clips(self) -> Path:
        return self.data / "clips"

    @property
    def weights(self) -> Path:
        return self.data / "weights"

    @property
    def embedder(self) -> Path:
        return self.data / "embedder"

    @property
    def audio(self) -> Path:
        """Holds one directory of samples per split, see SPLIT_FOLDERS."""
        return self.data / "audio"

    @property
    def embeddings(self) -> Path:
        """Holds one directory of features per split, see SPLIT_FOLDERS."""
        return self.data / "embeddings"

    @property
    def examples(self) -> Path:
        return self.data / "examples"

    @property
    def data_checks(self) -> Path:
        return self.metrics / "data_checks.json"

    @property
    def review(self) -> Path:
        return self.metrics / "review"

    @property
    def doubted_sounds(self) -> Path:
        """Holds the sounds of clips with a doubted label, for the report to play."""
        return self.data / "doubted"

    @property
    def trainings(self) -> Path:
        return self.metrics / "trainings"

    @property
    def headline(self) -> Path:
        """Copy of the headline model's head."""
        return self.models / "headline"

    @property
    def headline_scores(self) -> Path:
        return self.data / "headline.npy"

    @property
    def device(self) -> Path:
        return self.models / "device"

    @property
    def shipped(self) -> Path:
        return self.models / "lean.tflite"

    def training(self, model: str, seed: int) -> TrainingPaths:
        name = f"{model}-{seed}"
        return TrainingPaths(
            head=self.models / "heads" / name,
            scores=self.data / "scores" / f"{name}.npy",
            record=self.trainings / name,
        )

    def cost(self, model: str) -> Path:
        return self.metrics / "costs" / f"{model}.json"
