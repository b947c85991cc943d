"""How a model differs from the one it comes after, in words, from the settings themselves."""

from collections.abc import Iterator
from typing import Any

from lean_audio.config.params import Params

PLAIN = {"encoder": "wave encoder", "projection_units": "projection"}


def describe_change(params: Params, name: str) -> str:
    """Name every setting in which a model differs from the one it comes after; "" if none."""
    after = params.models[name].after
    return (
        ", ".join(_differences(_settings(params, after), _settings(params, name))) if after else ""
    )


def _settings(params: Params, name: str) -> dict[str, Any]:
    return params.models[name].network.model_dump() | params.recipe(name).model_dump()


def _differences(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for key, value in after.items():
        old, setting = before[key], PLAIN.get(key, key.replace("_", " "))
        if value == old:
            continue
        if isinstance(value, list | tuple):
            yield from (f"+ {layer}" for layer in value if layer not in old)
            yield from (f"\N{MINUS SIGN} {layer}" for layer in old if layer not in value)
        elif value is None or value is False:
            yield f"no {setting}"
        elif isinstance(value, dict):
            yield f"{setting} {_flat(value)}" if old else f"with {setting}"
        elif value is True:
            yield setting
        else:
            yield f"{setting} {_plain(old)} \N{RIGHTWARDS ARROW} {_plain(value)}"


def _flat(value: dict[str, Any]) -> str:
    return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(_plain(item) for item in value.values())
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
