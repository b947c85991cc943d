"""params.yaml, models.yaml and datasets/<dataset>/params.yaml, read and checked once.

Every setting is there and nowhere else.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator, model_validator

from lean_audio.config.datasets import Source
from lean_audio.config.faults import first_fault, reason
from lean_audio.config.paths import Paths, settings_file
from lean_audio.config.schema import (
    AttentionName,
    Cluster,
    Compute,
    Device,
    Embed,
    Evaluate,
    ExampleClips,
    Frozen,
    Model,
    Prepare,
    Quantize,
    Seed,
    Train,
    Verify,
    Yamnet,
)
from lean_audio.config.settings_files import check_dataset, read_yaml
from lean_audio.errors import LeanError

JOINT = "joint"  # stands for joint-<attention>
MODELS_FILE = "models.yaml"
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"  # of a model or a dataset: it names stages, files, MLflow runs
ALLOWED_NAME = "letters, digits, - and _, the first one a letter or a digit"


class Params(Frozen):
    """All settings of a run.

    headline: the model that is shown in full, quantized and shipped; variants: models that are
    trained and reported; seeds: of their trainings, the first of which is the headline's; costs:
    models whose size and latency are measured; models: of models.yaml; source: of the dataset.
    """

    dataset: str
    source: Source
    attention: AttentionName
    headline: str
    variants: tuple[str, ...]
    seeds: tuple[Seed, ...]
    costs: tuple[str, ...]
    backbone: Path
    yamnet: Yamnet
    prepare: Prepare
    embed: Embed
    train: Train
    evaluate: Evaluate
    verify: Verify
    examples: ExampleClips
    quantize: Quantize
    device: Device
    compute: Compute
    cluster: Cluster
    models: dict[str, Model]

    @field_validator("seeds", "variants", "costs")
    @classmethod
    def names_each_once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if twice := [value for value in values if values.count(value) > 1]:
            raise ValueError(f"{twice[0]!r} is named twice")
        return values

    @field_validator("seeds")
    @classmethod
    def has_a_seed(cls, values: tuple[Seed, ...]) -> tuple[Seed, ...]:
        if not values:
            raise ValueError("needs at least one seed")
        return values

    @field_validator("models")
    @classmethod
    def names_are_safe(cls, models: dict[str, Model]) -> dict[str, Model]:
        for name in models:
            if not re.fullmatch(NAME, name) or name == JOINT:
                raise ValueError(f"{name!r} cannot name a model: {ALLOWED_NAME}, and not {JOINT!r}")
        return models

    @model_validator(mode="after")
    def models_exist(self) -> "Params":
        for setting, names in (("variants", self.variants), ("costs", self.costs)):
            for name in names:
                _require(name, setting, tuple(self.models), f"the models of {MODELS_FILE}: ")
        if self.headline == JOINT:
            setting = f"headline {JOINT!r} and attention {self.attention!r}"
            _require(self.shown, setting, self.variants)
        else:
            _require(self.headline, "headline", (JOINT, *self.variants))
        return self

    @model_validator(mode="after")
    def models_fit(self) -> "Params":
        for name in dict.fromkeys((*self.variants, *self.costs)):
            if unknown := set(self.models[name].network.layers) - set(self.embed.layers):
                raise ValueError(
                    f"{MODELS_FILE}: {name} uses layers that embed.layers does not cache: "
                    f"{', '.join(sorted(unknown))}; it has {', '.join(self.embed.layers)}"
                )
        for name in self.models:
            self.recipe(name)
            self._check_ancestors(name)
        return self

    def _check_ancestors(self, name: str) -> None:
        seen, model = [name], self.models[name]
        while model.after:
            if model.after not in self.models:
                raise ValueError(
                    f"{MODELS_FILE}: {seen[-1]}.after: {model.after!r} is not one of "
                    f"{', '.join(self.models)}"
                )
            if model.after in seen:
                raise ValueError(f"{MODELS_FILE}: {name}.after leads back to {model.after}")
            seen.append(model.after)
            model = self.models[model.after]

    def recipe(self, name: str) -> Train:
        """How a model is trained.

        The section `train`, overridden by the model's own settings and these by the dataset's.
        """
        places = {
            f"{MODELS_FILE}: {name}.train": self.models[name].train,
            f"{settings_file(self.dataset).as_posix()}: train": self.source.train,
        }
        recipe = self.train.model_dump()
        for place, own in places.items():
            try:
                recipe = Train.model_validate(recipe | own).model_dump()
            except ValidationError as error:
                key = str(first_fault(error)["loc"][-1])
                why = reason(error, Train)
                raise ValueError(f"{place}.{key}: {own.get(key)!r}: {why}") from None
        return Train.model_validate(recipe)

    def settings_sha256(self, name: str) -> str:
        """Hash a model's network and recipe; settings that change nothing do not count."""
        network = self.models[name].network.model_dump(exclude_defaults=True)
        recipe = {key: value for key, value in self.recipe(name).model_dump().items() if value}
        return _sha256([network, recipe])

    def network_sha256(self, name: str) -> str:
        """Hash a model's network alone, on which size and latency depend."""
        return _sha256(self.models[name].network.model_dump(exclude_defaults=True))

    @property
    def seed(self) -> int:
        """The seed of the trainings that are headlined, quantized and shown in full."""
        return self.seeds[0]

    @property
    def shown(self) -> str:
        """The headline model's name."""
        return f"{JOINT}-{self.attention}" if self.headline == JOINT else self.headline

    @cached_property
    def paths(self) -> Paths:
        return Paths(self.dataset)

    @property
    def synthetic(self) -> bool:
        return self.source.kind == "demo"

    def model(self, name: str) -> Model:
        """Return a model of models.yaml; raises LeanError for another name."""
        if name not in self.models:
            raise LeanError(f"model: {name!r} is not one of {', '.join(self.models)}")
        return self.models[name]


def _require(name: str, setting: str, allowed: Sequence[str], where: str = "") -> None:
    if name not in allowed:
        raise ValueError(f"{setting}: {name!r} is not one of {where}{', '.join(allowed)}")


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml, the models.yaml beside it and the dataset's own settings.

    Raises
    ------
    LeanError
        For the first fault: names the file, the setting, its value and what is allowed.
    """
    content = read_yaml(path) | read_yaml(path.with_name(MODELS_FILE))
    name = content.get("dataset")
    check_dataset(name, path)
    own = path.parent / settings_file(str(name))
    content["source"] = read_yaml(own)
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise LeanError(_sentence(error, path, own)) from None


class _Own(Frozen):
    """A dataset's own settings, in the place that they have in Params."""

    source: Source


def load_source(dataset: str, folder: Path = Path()) -> Source:
    """Read and check datasets/<dataset>/params.yaml alone; folder: the project's root directory.

    Raises LeanError as load_params does.
    """
    check_dataset(dataset, folder / "params.yaml")
    path = folder / settings_file(dataset)
    try:
        return _Own.model_validate({"source": read_yaml(path)}).source
    except ValidationError as error:
        raise LeanError(_sentence(error, path, path)) from None


def _sentence(error: ValidationError, path: Path, own: Path) -> str:
    """Say what is wrong; path: of params.yaml; own: of the dataset's settings."""
    fault, why = first_fault(error), reason(error, Params)
    place, file = fault["loc"], path
    if place[:1] == ("models",):
        file = path.with_name(MODELS_FILE)
    elif place[:1] == ("source",):
        file, place = own, place[2:]  # after the field and the kind
    for other in (path.with_name(MODELS_FILE), own):
        if why.startswith(name := f"{other.relative_to(path.parent).as_posix()}: "):
            file, why = other, why.removeprefix(name)
    parts = [str(file), ".".join(str(part) for part in place)]
    if fault["type"] != "missing" and not isinstance(fault["input"], dict):
        parts.append(repr(fault["input"]))
    return ": ".join(part for part in (*parts, why) if part)
