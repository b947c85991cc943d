"""Run a .tflite in LiteRT's interpreter, without TensorFlow and Keras."""

import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lean_audio.audio.chunking import CHUNK_SAMPLES
from lean_audio.errors import LeanError
from lean_audio.screen import quiet_stderr


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
        Interpreter = _interpreter_class()  # noqa: N806
        content = model.read_bytes() if isinstance(model, Path) else model
        try:
            with quiet_stderr():
                self._interpreter = Interpreter(model_content=content, num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError):
            raise LeanError(f"{name} is not a TensorFlow Lite model that runs here") from None
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
