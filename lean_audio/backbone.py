"""What is known of the backbone without loading Keras, which takes seconds."""

from dataclasses import dataclass
from pathlib import Path

from lean_audio.files import read_json

EMBEDDING_UNITS = 1024
WEIGHTS_FILE, PROVENANCE_FILE = "backbone.weights.h5", "yamnet.json"
EMBEDDER_FILE = "embedder.tflite"  # a chunk's waveform to its embedding


@dataclass(frozen=True)
class Provenance:
    """Where the weights came from.

    source: hub | path | untrained; handle: URL, directory name, or seed; savedmodel_sha256: of
    the SavedModel's files (None for untrained); weights_sha256: of the rebuilt model's weights.
    """

    source: str
    handle: str
    trained: bool
    savedmodel_sha256: str | None
    weights_sha256: str


def load_provenance(folder: Path) -> Provenance:
    return Provenance(**read_json(folder / PROVENANCE_FILE))
