"""The sections of params.yaml and the models of models.yaml: what each setting may be.

What a dataset may be is in config.datasets.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

AttentionName = Literal["none", "affinity", "bahdanau"]
Licence = Literal["CC0", "CC-BY", "CC-BY-NC", "CC-Sampling+"]
Scheme = Literal[
    "float32",
    "float16",
    "dynamic_int8",
    "weight_only_int8",
    "selective_int8",
    "int4",
    "full_int8",
    "patch_int16",
]
StrategyName = Literal["auto", "single", "mirrored", "multiworker"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
HopS = Annotated[float, Field(ge=0.01, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Frozen(BaseModel):
    """Immutable; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Yamnet(Frozen):
    """Where the backbone's weights come from.

    source: auto, hub, untrained, or the path of a SavedModel directory.
    """

    source: str
    hub_url: str


class Hops(Frozen):
    """Seconds between the starts of consecutive chunks; 1 is no overlap (paper, III-A and IV)."""

    train: HopS
    val: HopS
    eval: HopS


class Prepare(Frozen):
    """Decoding and chunking (paper, III-A).

    max_set_aside: fraction of the clips of a split; max_clip_s: length of the longest clip used.
    """

    resampler: Literal["VHQ", "HQ", "MQ"]
    max_set_aside: Fraction
    max_clip_s: Annotated[float, Field(gt=0)]
    hop_s: Hops
    tail: Literal["repeat", "drop"]


class Embed(Frozen):
    """Features cached per chunk: the embedding and pooled activations of `layers`."""

    mean_normalization: bool
    layers: tuple[str, ...]


class Train(Frozen):
    """A training recipe (paper, III-F). Rates, decay and smoothing as in Keras."""

    epochs: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0, lt=1e6)]
    schedule: Literal["constant", "cosine"]
    weight_decay: Annotated[float, Field(ge=0, lt=1)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    mixup: Annotated[float, Field(ge=0, lt=100)]
    mixed_precision: bool


class Evaluate(Frozen):
    """curve_classes: classes with a precision-recall curve; resamples: bootstrap draws of clips."""

    curve_classes: int | tuple[str, ...]
    resamples: Positive

    @field_validator("curve_classes", mode="before")
    @classmethod
    def is_a_number_or_labels(cls, value: object) -> object:
        if type(value) is int and value > 0:
            return value
        if isinstance(value, list) and all(isinstance(label, str) for label in value):
            return value
        raise ValueError("must be a positive integer or a list of labels")


class Verify(Frozen):
    """tolerance: largest difference between two runs' mAP that still counts as reproduced."""

    tolerance: Fraction


class ExampleClips(Frozen):
    """Evaluation clips shown in the report.

    max_s: longest clip drawn; labels: best labels shown per clip; audio: datasets whose licence
    lets the report embed the sound.
    """

    clips: Positive
    max_s: Annotated[float, Field(gt=0)]
    labels: Positive
    audio: tuple[str, ...]


class Affinity(Frozen):
    """Parameter-free attention (paper, eq. 4-7)."""

    kind: Literal["affinity"]


class Bahdanau(Frozen):
    """Additive attention (paper, eq. 8-11); units: width of query and key."""

    kind: Literal["bahdanau"]
    units: Positive


class Encoder(Frozen):
    """The wave encoder (paper, III-C); without attention its last states are the context."""

    units: Positive
    attention: Annotated[Affinity | Bahdanau, Field(discriminator="kind")] | None = None


class Network(Frozen):
    """The layers of one model (paper, III-B to III-E); a part that is not named is left out.

    layers: of the backbone, pooled and concatenated with the embedding; normalization: batch norm
    of each feature; activation: of the projection; dropout: before the scores.
    """

    projection_units: Positive | None = None
    encoder: Encoder | None = None
    backbone: Literal["frozen", "finetuned", "scratch"] = "frozen"
    layers: tuple[str, ...] = ()
    normalization: bool = False
    activation: Literal["linear", "relu"] = "linear"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @property
    def attends(self) -> bool:
        return self.encoder is not None and self.encoder.attention is not None

    @model_validator(mode="after")
    def attention_fits(self) -> "Network":
        if self.encoder is None or self.encoder.attention is None:
            return self
        kind, units = self.encoder.attention.kind, self.encoder.units
        if not self.projection_units:
            raise ValueError(f"attention {kind!r} needs projection_units")
        if kind == "affinity" and self.projection_units != 2 * units:
            raise ValueError(
                f"affinity needs projection_units ({self.projection_units}) to be twice "
                f"encoder.units ({units}): it is their dot product"
            )
        return self


class Model(Frozen):
    """An entry of models.yaml.

    after: the model this one is compared with in the report, which states the difference; train:
    settings that replace those of the section `train` in params.yaml.
    """

    after: str = ""
    network: Network
    train: dict[str, Any]


class Quantize(Frozen):
    """By which schemes the headline model is made into .tflite files.

    *_max_change: mean absolute change of a score, relative to the mean score, beyond what 8-bit
    weights cause; few_positives: below this number of validation clips, the threshold of a label
    has a floor.
    """

    schemes: tuple[Scheme, ...]
    probe_clips: Positive
    int4_max_change: Fraction
    selective_max_change: Fraction
    few_positives: Positive

    @model_validator(mode="after")
    def has_a_baseline(self) -> "Quantize":
        if "float32" not in self.schemes or len(set(self.schemes)) < len(self.schemes):
            raise ValueError("schemes are each named once, float32 among them")
        return self


class Device(Frozen):
    """Which file is shipped.

    max_drop: largest mAP drop on validation; max_mb: largest size; prefer: which of the files
    within both is shipped; threads: of the interpreter when timed, the first one for the choice.
    """

    max_drop: Fraction
    max_mb: Annotated[float, Field(gt=0)]
    prefer: Literal["fastest", "smallest"]
    threads: Annotated[tuple[Positive, ...], Field(min_length=1)]


class Compute(Frozen):
    """How the work is done, never what comes out: no stage depends on it."""

    workers: Annotated[int, Field(ge=0)]
    strategy: StrategyName


class Cluster(Frozen):
    """Where prepare and embed run: local, or tcp://host:port. No stage depends on it."""

    scheduler: str

    @field_validator("scheduler")
    @classmethod
    def is_local_or_an_address(cls, value: str) -> str:
        if value == "local" or re.fullmatch(r"(tcp|tls|ucx)://[^:/]+:\d+", value):
            return value
        raise ValueError("must be local or an address such as tcp://host:8786")
