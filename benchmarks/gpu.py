"""Time training on a GPU with data in memory, by batch size, in 32 and 16 bits.

Works under any Keras backend (KERAS_BACKEND). `python -m benchmarks.gpu --cpu` runs a few steps on
the CPU: it shows that the benchmark runs, and measures nothing.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

import keras
import numpy as np

from benchmarks.tools import LABELS, in_process, report
from lean_audio.audio.chunking import CHUNK_SAMPLES
from lean_audio.backbones.base import EMBEDDING
from lean_audio.backbones.yamnet import BACKBONE
from lean_audio.config.params import load_params
from lean_audio.model import build_head
from lean_audio.training.fit import compiled_model
from lean_audio.training.strategy import make_deterministic

FIRST_BATCH, LAST_BATCH = 64, 65_536
GROWTH = 4
# The paper: 1.5 h for an epoch of about 290,000 chunks of 1 s on a GTX 1080 Ti.
PAPER_PER_S = 290_000 / (1.5 * 3600)
WARM_STEPS, CPU_STEPS = 5, 2
MIN_STEPS, MAX_STEPS, TIMED_SAMPLES = 8, 30, 2**17
CPU_LAST_BATCH = 256
MEMORY_WORDS = ("out of memory", "resource_exhausted", "resourceexhausted", "oom")


def gpus() -> int:
    """Count the GPUs that the chosen backend sees."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return len(tf.config.list_physical_devices("GPU"))
    if backend == "torch":
        import torch

        return torch.cuda.device_count()
    import jax

    return sum(device.platform == "gpu" for device in jax.devices())


def rate(batch_size: int, mixed: bool, steps: int) -> float | None:
    """Return samples per second of joint-bahdanau's training; None if memory is short."""
    params = load_params()
    make_deterministic(1)
    network = params.model("joint-bahdanau").network
    recipe = params.train.model_copy(update={"mixed_precision": mixed, "batch_size": batch_size})
    build = partial(build_head, network, backbone=BACKBONE)
    timer = Timer(WARM_STEPS, batch_size)
    try:
        model = compiled_model(build(len(LABELS)), build, recipe, None, WARM_STEPS + steps)
        model.fit(Repeated(batch_size, WARM_STEPS + steps), verbose=0, callbacks=[timer])
    except Exception as error:  # every backend raises another class
        if any(word in f"{type(error).__name__} {error}".lower() for word in MEMORY_WORDS):
            return None
        raise
    return timer.per_s


class Repeated(keras.utils.PyDataset):
    """Repeats one batch of noise held in memory."""

    def __init__(self, batch_size: int, steps: int):
        super().__init__()
        rng = np.random.default_rng(0)
        inputs = {
            "embedding": rng.normal(size=(batch_size, BACKBONE.units[EMBEDDING])).astype("f4"),
            "waveform": rng.uniform(-1, 1, (batch_size, CHUNK_SAMPLES)).astype("f4"),
        }
        targets = (rng.random((batch_size, len(LABELS))) < 0.02).astype("f4")
        self.batch, self.steps = (inputs, targets), steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int):
        return self.batch


class Timer(keras.callbacks.Callback):
    """Times the steps after the first few, during which the backend compiles."""

    def __init__(self, warm_steps: int, batch_size: int):
        super().__init__()
        self.warm_steps, self.batch_size = warm_steps, batch_size

    def on_train_batch_end(self, batch: int, logs=None) -> None:
        if batch + 1 == self.warm_steps:
            self._wait(logs)
            self.start_s = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        self._wait(logs)
        taken_s = time.perf_counter() - self.start_s
        self.per_s = (self.params["steps"] - self.warm_steps) * self.batch_size / taken_s

    def _wait(self, logs) -> None:
        """Wait for the GPU: the loss can be read only when every step before it has finished."""
        float((logs or {})["loss"])


def search(mixed: bool, cpu: bool) -> Iterator[tuple[int, float]]:
    """Yield (batch size, samples per second) for growing batches until memory is short.

    Each size runs in its own process, because a backend keeps the memory that it once allocated.
    """
    batch_size, last = FIRST_BATCH, CPU_LAST_BATCH if cpu else LAST_BATCH
    while batch_size <= last:
        steps = min(max(TIMED_SAMPLES // batch_size, MIN_STEPS), MAX_STEPS)
        arguments = (str(batch_size), str(int(mixed)), str(CPU_STEPS if cpu else steps))
        per_s = in_process("benchmarks.gpu", "rate", *arguments)
        if per_s is None:
            return
        yield batch_size, per_s
        batch_size *= GROWTH


def gpu_name() -> str:
    if not shutil.which("nvidia-smi"):
        return "a GPU"
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[
        0
    ]


def measure(cpu: bool) -> None:
    """Print one row per batch size and precision."""
    backend = keras.backend.backend()
    where = "the CPU" if cpu else gpu_name()
    for mixed, bits in ((False, "32 bits"), (True, "16 bits")):
        what = f"train joint-bahdanau on {where}, {backend}, {bits}"
        try:
            for batch_size, per_s in search(mixed, cpu):
                if cpu:
                    print(f"{what}, batch {batch_size}: runs", flush=True)
                else:
                    report(
                        f"{what}, batch {batch_size}",
                        f"{per_s:.0f} samples/s",
                        f"paper on a GTX 1080 Ti, 290,000 chunks in 1.5 h {PAPER_PER_S:.0f}/s",
                        per_s / PAPER_PER_S,
                        "",
                    )
        except RuntimeError as error:  # not every backend has all kernels in 16 bits
            print(f"{what}: {error}", file=sys.stderr)


def main(*arguments: str) -> None:
    if arguments[:1] == ("rate",):
        batch_size, mixed, steps = map(int, arguments[1:])
        print(json.dumps(rate(batch_size, bool(mixed), steps)))
    elif arguments == ("count",):
        print(json.dumps(gpus()))
    elif arguments == ("--cpu",):
        measure(cpu=True)
    elif in_process("benchmarks.gpu", "count"):
        measure(cpu=False)
    else:
        print(f"gpu: {keras.backend.backend()} sees no GPU; nothing is measured", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
