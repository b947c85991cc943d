"""The sections of params.yaml, typed: what each knob may be."""

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Attention = Literal["none", "affinity", "bahdanau"]
DatasetName = Literal["demo", "folder", "fsd50k"]
Split = Literal["train", "val", "eval"]
Licence = Literal["CC0", "CC-BY", "CC-BY-NC", "CC-Sampling+"]
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


class Fsd50k(Frozen):
    """Where the archives come from, what they hold, and which clips of them to use."""

    base_url: str
    manifest: Path
    licences: tuple[Licence, ...]  # none: all
    clips: dict[Split, Positive]
    classes: Positive
    connections: Positive
    tries: Positive
    silence_s: Annotated[float, Field(gt=0)]


class Datasets(Frozen):
    demo: Demo
    folder: Folder
    fsd50k: Fsd50k


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
    shard_chunks: Positive
    mean_normalization: bool
    layers: tuple[str, ...]  # of the backbone, pooled and cached beside the embedding


class Train(Frozen):
    epochs: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0, lt=1e6)]
    schedule: Literal["constant", "cosine"]
    weight_decay: Annotated[float, Field(ge=0, lt=1)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    mixup: Annotated[float, Field(ge=0, lt=100)]
    strategy: Literal["auto", "single", "mirrored", "multiworker"]
    mixed_precision: bool


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
    """A model and how it is trained (paper, III-B to III-E); a part not named is left out.

    train: settings that replace those of the section `train`. after: another model, from which
    this one differs in one respect; change: what that is, for the table of ingredients.
    """

    projection_units: Annotated[int, Field(ge=0)]
    encoder_units: Annotated[int, Field(ge=0)]
    attention: Attention
    attention_units: Annotated[int, Field(ge=0)]
    backbone: Literal["frozen", "finetuned", "scratch"] = "frozen"
    layers: tuple[str, ...] = ()  # of the backbone, pooled and set beside the embedding
    normalization: bool = False  # of the features, by batch norm
    activation: Literal["linear", "relu"] = "linear"  # of the projection
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0  # of what the scores are made from
    train: dict[str, Any] = {}
    after: str = ""
    change: str = ""

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

    def about(self, recipe: "Train") -> dict[str, str]:
        """Which settings it is trained by, and what a table of ingredients says of it."""
        captions = {"after": self.after, "change": self.change} if self.after else {}
        return {"settings_sha256": self._settings_sha256(recipe)} | captions

    def _settings_sha256(self, recipe: "Train") -> str:
        """Of the network and its training; what is not set does not count, nor do the captions."""
        network = self.model_dump(exclude={"train", "after", "change"}, exclude_defaults=True)
        training = recipe.model_dump(exclude={"strategy"}, exclude_defaults=True)
        return hashlib.sha256(json.dumps([network, training], sort_keys=True).encode()).hexdigest()


class Ablation(Frozen):
    """With which seeds, `seed` apart, variants and ingredients are trained and evaluated.

    costs: the models whose size and time on a device are measured.
    """

    seeds: tuple[Seed, ...]
    ingredient_seeds: tuple[Seed, ...]
    costs: tuple[str, ...]
    resamples: Positive


class Quantize(Frozen):
    """Which variant is made into .tflite files, by which schemes."""

    variant: str  # headline | one of variants
    schemes: tuple[Scheme, ...]
    probe_clips: Positive
    int4_max_change: Share
    selective_max_change: Share

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


class Cluster(Frozen):
    """Where prepare and embed run; as with Compute, no stage depends on it."""

    scheduler: str  # local | tcp://host:port

    @field_validator("scheduler")
    @classmethod
    def is_local_or_an_address(cls, value: str) -> str:
        if value == "local" or re.fullmatch(r"(tcp|tls|ucx)://[^:/]+:\d+", value):
            return value
        raise ValueError("is neither local nor an address such as tcp://host:8786")
