"""datasets/<name>/params.yaml: what each setting of a dataset may be."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from lean_audio.config.schema import Frozen, Licence, Positive, Seed

SETTINGS = "datasets/<name>/params.yaml"  # as it is called in messages


class Dataset(Frozen):
    """What every dataset has.

    train: settings that replace those of the section `train` and of every model on this dataset.
    """

    train: dict[str, Any]


class Demo(Dataset):
    """The generated dataset: how many clips to synthesize."""

    kind: Literal["demo"]
    clips: Positive


class SplitFractions(Frozen):
    """Fractions of the clips that are split here; the rest is for training."""

    val: Annotated[float, Field(gt=0, lt=1)]
    eval: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def leaves_clips_to_train(self) -> "SplitFractions":
        if self.val + self.eval >= 1:
            raise ValueError(f"val and eval ({self.val} + {self.eval}) leave nothing to train")
        return self


class Folder(Dataset):
    """Your own sounds: the directory that holds them, and how they are read and split.

    table: of files and labels, relative to root; *_column: its columns; group_pattern: regular
    expression that finds the group in a file's path. Of these, what is empty is found. eval_folds:
    values of the table's column fold; propagate: add the labels above a label, which the table
    parents holds; splits, split_seed: for clips without a split.
    """

    kind: Literal["folder"]
    root: Path
    table: str
    file_column: str
    label_column: str
    group_column: str
    group_pattern: str
    eval_folds: tuple[str, ...]
    propagate: bool
    parents: str
    splits: SplitFractions
    split_seed: Seed

    @field_validator("root")
    @classmethod
    def expand_home(cls, value: Path) -> Path:
        return value.expanduser()

    @field_validator("group_pattern")
    @classmethod
    def is_a_regular_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        return value

    @field_validator("eval_folds", mode="before")
    @classmethod
    def are_numbers_or_names(cls, values: object) -> object:
        if not isinstance(values, list | tuple):
            raise ValueError("must be a list of folds, such as [5]")
        return tuple(str(value) for value in values)


class Fsd50k(Dataset):
    """FSD50K: where its archives are downloaded from and which clips are used.

    manifest: YAML file with the published files and counts; licences: empty for all.
    """

    kind: Literal["fsd50k"]
    base_url: str
    manifest: Path
    licences: tuple[Licence, ...]


Source = Annotated[Demo | Folder | Fsd50k, Field(discriminator="kind")]
