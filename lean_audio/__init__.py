"""Train, evaluate, quantize and run LEAN, a small network that tags sounds.

Reproduces S. Choudhary, C. R. Karthik, P. S. Lakshmi, S. Kumar, "LEAN: Light and Efficient Audio
Classification Network", 2023, arXiv:2305.12712. References such as "(paper, III-B)" are to it.

`Tagger` runs a shipped model file. It is imported on first use, so that importing a module of the
pipeline does not load an interpreter.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lean_audio.tagger import Tagger

__all__ = ["Tagger"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lean_audio import tagger

    return getattr(tagger, name)
