"""What is wrong with a setting, in words: of pydantic's errors, the one to report."""

from typing import Any, get_args

from pydantic import ValidationError

from lean_audio.config.schema import Frozen


def first_fault(error: ValidationError) -> Any:
    """Return the fault to report: a misspelt key before the one that it left missing."""
    return min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")


def reason(error: ValidationError, section: type[Frozen]) -> str:
    """Say what is wrong with the first fault; section: what was validated."""
    fault = first_fault(error)
    if fault["type"] == "extra_forbidden":
        return "is not a setting" + _known_keys(section, fault["loc"])
    return fault["msg"].removeprefix("Value error, ")


def _known_keys(section: type[Frozen], place: tuple[str | int, ...]) -> str:
    """Name the settings of the section that an unknown key stands in."""
    inner: type[Frozen] | None = section
    for part in place[:-1]:
        if inner and part in inner.model_fields:  # else it is the name of a model
            inner = _section_in(inner.model_fields[str(part)].annotation)
    return f"; allowed are {', '.join(inner.model_fields)}" if inner else ""


def _section_in(annotation: Any) -> type[Frozen] | None:
    """Return the section that a field is or, as an optional one or a mapping, holds."""
    kinds = (annotation, *get_args(annotation))
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, Frozen)), None)
