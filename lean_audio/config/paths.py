"""Where each file of the pipeline lives, below the project's root directory."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """Where one dataset's files live; datasets never share a file."""

    data: Path
    metrics: Path
    mlruns: Path
    models: Path
    report: Path

    @classmethod
    def of(cls, dataset: str) -> "Paths":
        return cls(**{top: Path(top, dataset) for top in cls.__annotations__})

    @property
    def raw(self) -> Path:
        return self.data / "raw"

    @property
    def clips(self) -> Path:
        return self.data / "clips"

    @property
    def yamnet(self) -> Path:
        return self.data / "yamnet"

    @property
    def audio(self) -> Path:
        return self.data / "audio"

    @property
    def embeddings(self) -> Path:
        return self.data / "embeddings"

    @property
    def examples(self) -> Path:
        return self.data / "examples"

    def weights(self, variant: str) -> Path:
        return self.models / "heads" / f"{variant}.weights.h5"

    @property
    def device(self) -> Path:
        return self.models / "device"

    @property
    def shipped(self) -> Path:
        return self.models / "lean.tflite"

    @property
    def tracked(self) -> Path:
        return self.mlruns / "tracked.json"

    def study(self, model: str, seed: int) -> Path:
        """Of one training beside that with `seed`, without suffix."""
        return self.metrics / "study" / f"{model}-{seed}"

    def cost(self, model: str) -> Path:
        return self.metrics / "study" / f"{model}.cost.json"

    def scores(self, variant: str) -> Path:
        return self.data / "scores" / f"{variant}.npy"
