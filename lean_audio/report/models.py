"""What the report must know of the models in this params file."""

from collections.abc import Mapping
from dataclasses import dataclass

from lean_audio.config.changes import describe_change
from lean_audio.config.params import Params


@dataclass(frozen=True)
class ModelInfo:
    """A model of this params file: hashes of all its settings and of its network alone.

    after, change: the model it differs from, and how.
    """

    sha256: str
    network_sha256: str = ""
    after: str = ""
    change: str = ""


Models = Mapping[str, ModelInfo]


def report_models(params: Params) -> Models:
    """Return the models that are trained and reported, in their order."""
    return {
        name: ModelInfo(
            params.settings_sha256(name),
            params.network_sha256(name),
            params.models[name].after,
            describe_change(params, name),
        )
        for name in params.variants
    }
