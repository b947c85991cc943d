"""Run a .tflite in LiteRT's interpreter, without TensorFlow and Keras."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

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
        If the model does not run here, or does not take float32 (1, 16000).
    """

    def __init__(self, model: Path | bytes, threads: int = 1, name: str = "the model"):
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
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return the model's first output, (width,); waveform: (16000,) float32 in [-1, 1)."""
        self._interpreter.set_tensor(self._input, waveform[None])
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)[0]
