"""params.yaml, read and checked once. Every knob of the pipeline is here and nowhere else."""

from functools import cached_property
from pathlib import Path

from pydantic import ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lean_audio.audio.split_zip import ArchiveRoot
from lean_audio.config.paths import Paths
from lean_audio.config.schema import (
    Ablation,
    Attention,
    Cluster,
    Compute,
    DatasetName,
    Datasets,
    Device,
    Embed,
    Evaluate,
    ExampleClips,
    Frozen,
    Prepare,
    Quantize,
    Seed,
    Train,
    Variant,
    Yamnet,
)
from lean_audio.errors import LeanError


class Params(Frozen):
    dataset: DatasetName
    attention: Attention
    seed: Seed
    backbone: Path
    datasets: Datasets
    yamnet: Yamnet
    variants: dict[str, Variant]
    ingredients: dict[str, Variant]
    ablation: Ablation
    prepare: Prepare
    embed: Embed
    train: Train
    evaluate: Evaluate
    examples: ExampleClips
    quantize: Quantize
    device: Device
    compute: Compute
    cluster: Cluster

    @model_validator(mode="after")
    def headline_exists(self) -> "Params":
        if self.headline not in self.variants:
            raise ValueError(
                f"attention {self.attention!r} headlines the variant {self.headline!r}, "
                f"which is not in variants ({', '.join(self.variants)})"
            )
        return self

    @model_validator(mode="after")
    def quantized_exists(self) -> "Params":
        if self.quantized not in self.variants:
            raise ValueError(
                f"quantize.variant {self.quantize.variant!r} is not headline or one of "
                f"{', '.join(self.variants)}"
            )
        return self

    @model_validator(mode="after")
    def models_fit(self) -> "Params":
        for name, variant in self._models.items():
            if unknown := set(variant.layers) - set(self.embed.layers):
                raise ValueError(
                    f"{name} takes layers that embed.layers does not cache: "
                    f"{', '.join(sorted(unknown))}; it has {', '.join(self.embed.layers)}"
                )
            self.recipe(name)
        for name, variant in self._models.items() if self.ingredients else ():
            section = "ingredients" if name in self.ingredients else "variants"
            known = variant.after in self._models
            if not known and (variant.after or section == "ingredients"):
                raise ValueError(
                    f"{section}.{name}.after: {variant.after!r} is not one of "
                    f"{', '.join(self._models)}"
                )
        if both := set(self.variants) & set(self.ingredients):
            raise ValueError(f"{', '.join(sorted(both))}: in variants and in ingredients")
        return self

    @model_validator(mode="after")
    def study_fits(self) -> "Params":
        if self.seed in self.ablation.seeds:
            raise ValueError(
                f"ablation.seeds has {self.seed}, which is `seed`: every variant is trained with "
                "that anyway"
            )
        if unknown := set(self.ablation.costs) - set(self._models):
            raise ValueError(
                f"ablation.costs names {', '.join(sorted(unknown))}, which is not one of "
                f"{', '.join(self._models)}"
            )
        return self

    @property
    def _models(self) -> dict[str, Variant]:
        return self.variants | self.ingredients

    def recipe(self, name: str) -> Train:
        """How a variant or ingredient is trained: the section `train` with its own settings."""
        own = self._models[name].train
        try:
            return Train.model_validate(self.train.model_dump() | own)
        except ValidationError as error:
            (fault, *_) = error.errors()
            key = fault["loc"][-1]
            raise ValueError(
                f"{name}, train.{key}: {own.get(str(key))!r}: {fault['msg']}"
            ) from None

    @property
    def settings_sha256(self) -> dict[str, str]:
        """By model, the settings that a training must have had to belong to this params file."""
        return {
            name: model.about(self.recipe(name))["settings_sha256"]
            for name, model in self._models.items()
        }

    @property
    def headline(self) -> str:
        return f"joint-{self.attention}"

    @property
    def quantized(self) -> str:
        """The variant that is made into .tflite files."""
        return self.headline if self.quantize.variant == "headline" else self.quantize.variant

    @cached_property
    def paths(self) -> Paths:
        return Paths.of(self.dataset)

    @property
    def synthetic(self) -> bool:
        return self.dataset == "demo"

    @property
    def root(self) -> Path | ArchiveRoot:
        """Holds the dataset's clips in FSD50K layout: a directory, or the archives in one."""
        if self.dataset == "folder":
            return self.datasets.folder.root
        return ArchiveRoot(self.paths.raw) if self.dataset == "fsd50k" else self.paths.raw

    def variant(self, name: str) -> Variant:
        """Raises LeanError for a name that is not in params.yaml."""
        if name not in self.variants:
            raise LeanError(f"variant: {name!r} is not one of {', '.join(self.variants)}")
        return self.variants[name]

    def model(self, name: str) -> Variant:
        """A variant or an ingredient; raises LeanError for another name."""
        if name not in self._models:
            raise LeanError(f"model: {name!r} is not one of {', '.join(self._models)}")
        return self._models[name]


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml; raises LeanError with the first fault."""
    try:
        return Params.model_validate(YAML(typ="safe").load(path.read_text()))
    except FileNotFoundError:
        raise LeanError(f"{path} is missing: run from the project's root directory") from None
    except YAMLError as error:
        raise LeanError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        value = "" if fault["type"] == "missing" or not place else f" {fault['input']!r}:"
        message = fault["msg"].removeprefix("Value error, ")
        raise LeanError(f"{path}: {place}{':' if place else ''}{value} {message}") from None
