"""params.yaml, typed and checked once. Every knob of the pipeline is here and nowhere else."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from lean_audio.errors import LeanError
from lean_audio.paths import Paths

Attention = Literal["none", "affinity", "bahdanau"]
DatasetName = Literal["demo", "folder"]
Scheme = Literal[
    "float32",
    "float16",
    "dynamic_int8",
    "weight_only_int8",
    "selective_int8",
    "int4",
    "full_int8",
]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
HopS = Annotated[float, Field(ge=0.01, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Frozen(BaseModel):
    """Immutable, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Demo(Frozen):
    clips: Positive
    seed: Seed


class Folder(Frozen):
    root: Path


class Datasets(Frozen):
    demo: Demo
    folder: Folder


class Yamnet(Frozen):
    source: str  # auto | hub | untrained | path of a SavedModel
    hub_url: str
    silence_s: Annotated[float, Field(gt=0)]
    deadline_s: Annotated[float, Field(gt=0)]
    seed: Seed


class Hops(Frozen):
    """Seconds from one chunk's start to the next; 1 is no overlap (paper, III-A and IV)."""

    train: HopS
    val: HopS
    eval: HopS


class Prepare(Frozen):
    resampler: Literal["VHQ", "HQ", "MQ"]
    shard_clips: Positive
    max_set_aside: Share
    hop_s: Hops
    tail: Literal["repeat", "drop"]


class Embed(Frozen):
    batch_size: Positive
    shard_chunks: Positive
    mean_normalization: bool


class Train(Frozen):
    epochs: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0, lt=1e6)]


class Evaluate(Frozen):
    batch_size: Positive
    curve_classes: int | tuple[str, ...]
    reliability_bins: Positive

    @field_validator("curve_classes", mode="before")
    @classmethod
    def is_a_number_or_labels(cls, value: object) -> object:
        if type(value) is int and value > 0:
            return value
        if isinstance(value, list) and all(isinstance(label, str) for label in value):
            return value
        raise ValueError("is neither a whole number above 0 nor a list of labels")


class ExampleClips(Frozen):
    """Which clips the report shows, how much of them, and of which datasets it may play them."""

    clips: Positive
    max_s: Annotated[float, Field(gt=0)]
    labels: Positive
    audio: tuple[DatasetName, ...]


class Variant(Frozen):
    """One row of the ablation (paper, III-B to III-E); 0 units: the part is left out."""

    projection_units: Annotated[int, Field(ge=0)]
    encoder_units: Annotated[int, Field(ge=0)]
    attention: Attention
    attention_units: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def parts_fit(self) -> "Variant":
        if self.attention != "none" and not self.encoder_units:
            raise ValueError(f"attention {self.attention!r} needs encoder_units above 0")
        if self.attention != "none" and not self.projection_units:
            raise ValueError(f"attention {self.attention!r} needs projection_units above 0")
        if self.attention == "affinity" and self.projection_units != 2 * self.encoder_units:
            raise ValueError(
                f"affinity needs projection_units ({self.projection_units}) to be "
                f"twice encoder_units ({self.encoder_units}): it is their dot product"
            )
        if (self.attention == "bahdanau") != bool(self.attention_units):
            raise ValueError("attention_units is above 0 for bahdanau and 0 for the others")
        return self


class Quantize(Frozen):
    """Which variant is made into .tflite files, by which schemes."""

    variant: str  # headline | one of variants
    schemes: tuple[Scheme, ...]
    probe_clips: Positive
    int4_max_drop: Share
    int4_enough_bytes: Positive
    selective_max_drop: Share

    @model_validator(mode="after")
    def has_a_yardstick(self) -> "Quantize":
        if "float32" not in self.schemes or len(set(self.schemes)) < len(self.schemes):
            raise ValueError("schemes are each named once, float32 among them")
        return self


class Device(Frozen):
    max_drop: Share
    resamples: Positive
    timed_chunks: Positive
    threads: Annotated[tuple[Positive, ...], Field(min_length=1)]


class Compute(Frozen):
    """How the work is done, never what comes out: no stage depends on it."""

    workers: Annotated[int, Field(ge=0)]


class Params(Frozen):
    dataset: DatasetName
    attention: Attention
    seed: Seed
    datasets: Datasets
    yamnet: Yamnet
    variants: dict[str, Variant]
    prepare: Prepare
    embed: Embed
    train: Train
    evaluate: Evaluate
    examples: ExampleClips
    quantize: Quantize
    device: Device
    compute: Compute

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
    def root(self) -> Path:
        """The directory in FSD50K layout that holds the dataset's clips."""
        return self.datasets.folder.root if self.dataset == "folder" else self.paths.raw

    def variant(self, name: str) -> Variant:
        """Raises LeanError for a name that is not in params.yaml."""
        if name not in self.variants:
            raise LeanError(f"variant: {name!r} is not one of {', '.join(self.variants)}")
        return self.variants[name]


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
