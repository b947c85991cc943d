"""Run a .tflite in LiteRT's interpreter, without TensorFlow and Keras."""

import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lean_audio.audio.chunking import CHUNK_SAMPLES
from lean_audio.audio.log_mel import log_mel
from lean_audio.errors import LeanError
from lean_audio.screen import quiet_stderr

PATCH_INPUT = "patch"  # name of the input of a file that takes log-mel patches


class Runtime:
    """A waveform-input .tflite, ready to run on one chunk at a time.

    Parameters
    ----------
    model
        A file or its content.
    threads
        Of the interpreter.
    name
        Of the model, in error messages.

    Raises
    ------
    LeanError
        If the model does not run here or does not take float32 (1, 16000), or there is no LiteRT.
    """

    def __init__(self, model: Path | bytes, threads: int = 1, name: str = "the model"):
        self._interpreter = open_interpreter(model, threads, name)
        (details,) = self._interpreter.get_input_details()
        if tuple(details["shape"]) != (1, CHUNK_SAMPLES) or details["dtype"] != np.float32:
            raise LeanError(
                f"{name} takes {details['dtype'].__name__} {tuple(map(int, details['shape']))}; "
                f"a waveform model takes float32 (1, {CHUNK_SAMPLES})"
            )
        self._input = details["index"]
        output = self._interpreter.get_output_details()[0]
        self._output, self.outputs = output["index"], int(output["shape"][-1])

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return the model's first output, (width,); waveform: (16000,) float32 in [-1, 1)."""
        self._interpreter.set_tensor(self._input, waveform[None])
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)[0]


def _interpreter_class() -> Any:
    """Return LiteRT's interpreter. Raises LeanError where it is not installed or does not load."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        here = f"{platform.system()} {platform.machine()}, Python {sys.version.split()[0]}"
        raise LeanError(
            f"the LiteRT runtime (pip install ai-edge-litert) cannot be loaded here ({here}): "
            f"{error}; where no wheel of it exists, use another Python or machine (docs/device.md)"
        ) from None
    return Interpreter


class PatchRuntime:
    """An all-integer .tflite that takes log-mel patches, ready to run on one patch at a time.

    Parameters are those of Runtime. Raises LeanError if the model does not run here, or does not
    take integers.
    """

    def __init__(self, model: Path | bytes, threads: int = 1, name: str = "the model"):
        self._interpreter = open_interpreter(model, threads, name)
        (self._input,) = self._interpreter.get_input_details()
        (self._output,) = self._interpreter.get_output_details()
        if not np.issubdtype(self._input["dtype"], np.integer):
            raise LeanError(f"{name} takes {self._input['dtype'].__name__}, not integers")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a patch."""
        return tuple(map(int, self._input["shape"][1:]))

    def __call__(self, patch: np.ndarray) -> np.ndarray:
        """Return the scores, (width,) float32; patch: float32."""
        scale, zero = self._input["quantization"]
        limits = np.iinfo(self._input["dtype"])
        steps = np.clip(np.rint(patch / scale) + zero, limits.min, limits.max)
        self._interpreter.set_tensor(self._input["index"], steps[None].astype(limits.dtype))
        self._interpreter.invoke()
        scale, zero = self._output["quantization"]
        steps = self._interpreter.get_tensor(self._output["index"])[0]
        return ((steps.astype(np.float32) - zero) * scale).astype(np.float32)


def open_interpreter(model: Path | bytes, threads: int, name: str) -> Any:
    """Load a model. Raises LeanError, with its name, if it does not run here."""
    Interpreter = _interpreter_class()  # noqa: N806
    content = model.read_bytes() if isinstance(model, Path) else model
    try:
        with quiet_stderr():
            interpreter = Interpreter(model_content=content, num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError):
        raise LeanError(f"{name} is not a TensorFlow Lite model that runs here") from None
    return interpreter


def takes_patches(model: Path) -> bool:
    """Return whether a file of the pipeline takes log-mel patches instead of the waveform."""
    (details,) = open_interpreter(model, 1, str(model)).get_input_details()
    return details["name"] == PATCH_INPUT


def open_tagger(
    model: Path,
    threads: int = 1,
    front_end: Callable[[np.ndarray], np.ndarray] = log_mel,
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from a waveform (16000,) float32 to scores (width,) float32.

    front_end: computes the patch for a file that takes patches.
    """
    if not takes_patches(model):
        return Runtime(model, threads, name=str(model))
    network = PatchRuntime(model, threads, name=str(model))
    return lambda waveform: network(front_end(waveform))
