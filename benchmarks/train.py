"""Time LEAN's training from disk, compared with Keras's own fit on arrays in memory."""

import json
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from benchmarks.tools import ALL_CORES, LABELS, bracketed, report, store_noise
from lean_audio.backbones.base import EMBEDDING
from lean_audio.backbones.yamnet import BACKBONE
from lean_audio.config.params import load_params
from lean_audio.config.paths import SPLIT_FOLDERS
from lean_audio.features.cache import LAYOUT_FILE, features_shard
from lean_audio.files import write_json
from lean_audio.model import build_head
from lean_audio.training.batches import Examples, ShuffledBatches, open_examples
from lean_audio.training.strategy import make_deterministic

CLIPS, CLIP_S, EPOCHS = 320, 10.0, 4
SHARD_CHUNKS = 2048


class EpochTimes(keras.callbacks.Callback):
    """Times each epoch; the first also builds the graph."""

    def __init__(self):
        super().__init__()
        self.taken_s: list[float] = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.taken_s.append(time.perf_counter() - self.start)


def examples_of_noise(audio: Path, embeddings: Path) -> Examples:
    """Write noise and random embeddings; open their training split."""
    store_noise(audio, CLIPS, CLIP_S, hop_s=1.0)
    examples = open_examples(audio, embeddings, "train")
    folder = embeddings / SPLIT_FOLDERS["train"]
    layout = {"shard_chunks": SHARD_CHUNKS, "widths": {EMBEDDING: 1024}, "data_sha256": "noise"}
    write_json(folder / LAYOUT_FILE, layout)
    rng = np.random.default_rng(0)
    for number, start in enumerate(range(0, len(examples.chunks), SHARD_CHUNKS)):
        rows = min(SHARD_CHUNKS, len(examples.chunks) - start)
        values = rng.normal(size=(rows, 1024)).astype("<f4")
        features_shard(folder, number).write_bytes(values.tobytes())
    return examples


def rate(source: str) -> float:
    """Return samples per second in the best epoch after the first.

    source: "disk" for batches as LEAN reads them, else arrays in memory.
    """
    params = load_params()
    make_deterministic(1)
    model = build_head(params.model("joint-bahdanau").network, len(LABELS), BACKBONE)
    model.compile(keras.optimizers.Adam(params.train.learning_rate), "binary_crossentropy")
    times, size = EpochTimes(), params.train.batch_size
    with tempfile.TemporaryDirectory() as folder:
        examples = examples_of_noise(Path(folder, "audio"), Path(folder, "embeddings"))
        rows = np.arange(len(examples.chunks))
        if source == "disk":
            data = {"x": ShuffledBatches(examples, size, 1, model.input), "shuffle": False}
        else:
            inputs = examples.inputs(rows, model.input)
            data = {"x": inputs, "y": examples.chunks.targets(rows), "batch_size": size}
        model.fit(**data, epochs=EPOCHS, verbose=0, callbacks=[times])
    return len(rows) / min(times.taken_s[1:])


def main() -> None:
    alternatives = {
        "memory": {},
        "memory with TensorFlow's default threads": ALL_CORES,
    }
    ours, theirs = bracketed("benchmarks.train", "disk", alternatives)
    for name, rate_of_fit in theirs.items():
        report(
            "train joint-bahdanau from disk",
            f"{ours:.0f} samples/s",
            f"Keras's fit on arrays in {name} {rate_of_fit:.0f}/s",
            ours / rate_of_fit,
            ">= 0.90",
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(rate(sys.argv[1])))
    else:
        main()
