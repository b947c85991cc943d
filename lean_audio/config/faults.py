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
    inner = [section]
    for part in place[:-1]:
        fields = [kind.model_fields[str(part)] for kind in inner if part in kind.model_fields]
        if fields:
            inner = [kind for field in fields for kind in _sections_in(field.annotation)]
        else:  # the name of a model, or of one kind of section
            inner = [kind for kind in inner if _is_kind(kind, part)] or inner
    return f"; allowed are {', '.join(inner[0].model_fields)}" if inner else ""


def _is_kind(section: type[Frozen], name: str | int) -> bool:
    field = section.model_fields.get("kind")
    return field is not None and name in get_args(field.annotation)


def _sections_in(annotation: Any) -> list[type[Frozen]]:
    """Return the sections that a field is or, as a union or a mapping, may hold."""
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        return [annotation]
    return [kind for part in get_args(annotation) for kind in _sections_in(part)]
