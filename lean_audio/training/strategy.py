"""Devices that a head is trained on: one, all GPUs of a machine, or those of several machines.

The only place where training depends on TensorFlow, which is not imported under another backend.
"""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import keras
import numpy as np

from lean_audio.errors import LeanError
from lean_audio.training.batches import ShuffledBatches

EXAMPLE = (
    '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
)


def open_strategy(name: str) -> Any | None:
    """Return a tf.distribute.Strategy; None for one device, which is left to the backend.

    Call it before anything is computed: several machines cannot be joined later.
    Raises LeanError for several devices where there are none, under another backend, or for auto
    where TF_CONFIG names other hosts.
    """
    tensorflow = keras.backend.backend() == "tensorflow"
    if name == "auto" and (tasks := _count_tasks()) > 1:
        raise LeanError(
            f"compute.strategy: 'auto' trains on this machine alone, but TF_CONFIG names {tasks} "
            "tasks; set compute.strategy to multiworker, or unset TF_CONFIG"
        )
    if name == "single" or (name == "auto" and not (tensorflow and _gpus() > 1)):
        return None
    if not tensorflow:
        raise LeanError(
            f"compute.strategy: {name!r} needs the TensorFlow backend and KERAS_BACKEND is "
            f"{keras.backend.backend()!r}; it allows auto and single"
        )
    return _join_workers() if name == "multiworker" else _mirror()


def _gpus() -> int:
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def _mirror() -> Any:
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise LeanError(
            f"compute.strategy: 'mirrored' needs two GPUs or more and this machine has {_gpus()}; "
            "auto and single do with any number"
        )
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _join_workers() -> Any:
    import tensorflow as tf

    _read_task()
    return tf.distribute.MultiWorkerMirroredStrategy()


def is_chief(name: str) -> bool:
    """Return whether this process writes the training's outputs; of several workers one does.

    Raises LeanError for multiworker without a TF_CONFIG that says which worker this is.
    """
    if name != "multiworker":
        return True
    cluster, kind, index = _read_task()
    return kind == "chief" or ("chief" not in cluster and index == 0)


def _read_task() -> tuple[dict[str, list[str]], str, int]:
    """The cluster of TF_CONFIG, and the kind and the number of this process's task in it."""
    text = os.environ.get("TF_CONFIG", "")
    with suppress(ValueError, KeyError, TypeError):  # whatever is wrong, the example tells more
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        kind, index = task["type"], int(task["index"])
        if kind in ("chief", "worker") and 0 <= index < len(cluster[kind]):
            return cluster, kind, index
    raise LeanError(
        f"compute.strategy: 'multiworker' reads TF_CONFIG, which is {text!r}; "
        f"set it on every host, with its own index, as in {EXAMPLE}"
    )


def _count_tasks() -> int:
    """Count the tasks of TF_CONFIG's cluster that train; 0 without a cluster."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):  # not a cluster's
        cluster = json.loads(os.environ.get("TF_CONFIG", ""))["cluster"]
        return sum(len(cluster.get(kind, ())) for kind in ("chief", "worker"))
    return 0


def count_replicas(strategy: Any | None) -> int:
    return 1 if strategy is None else strategy.num_replicas_in_sync


def scope(strategy: Any | None) -> AbstractContextManager:
    """Return the context in which the model and its optimizer must be built."""
    return nullcontext() if strategy is None else strategy.scope()


def make_deterministic(seed: int) -> None:
    """Seed every generator and, under TensorFlow, choose deterministic kernels.

    Also forgets earlier models, whose number would show in the names in a weights file.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def fit(
    strategy: Any | None,
    model: keras.Model,
    batches: ShuffledBatches,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> dict[str, list[float]]:
    """Train a compiled model; return its logs: name -> one number per epoch (means over chunks)."""
    if strategy is None:
        calls = [EpochNumbers(batches), *callbacks]
        return model.fit(batches, epochs=epochs, shuffle=False, verbose=0, callbacks=calls).history
    return _fit_replicas(strategy, model, batches, epochs, callbacks)


class EpochNumbers(keras.callbacks.Callback):
    """Keeps the batch order the same under every backend: JAX begins the first epoch twice."""

    def __init__(self, batches: ShuffledBatches):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.batches.epoch = epoch  # to which Keras's fit adds 1 as it begins


def _fit_replicas(strategy, model, batches, epochs, callbacks) -> dict[str, list[float]]:
    """Train on several replicas with a loop of our own.

    Keras's fit cannot train on several hosts, as it averages scalars over their first axis; it
    also takes the mean of the replicas' means, which is wrong for a batch that is split unevenly.
    """
    history = keras.callbacks.History()
    calls = keras.callbacks.CallbackList(
        [*callbacks, history],
        verbose=0,
        epochs=epochs,
        steps=len(batches),
        model=model,
    )
    step = _replicated_step(strategy, model)
    calls.on_train_begin()
    for epoch in range(epochs):
        batches.on_epoch_begin()  # of the first epoch too, as Keras's own fit does
        calls.on_epoch_begin(epoch)
        calls.on_epoch_end(epoch, {"loss": _run_epoch(strategy, step, batches, calls)})
    calls.on_train_end()
    return history.history


def _run_epoch(strategy, step, batches: ShuffledBatches, calls) -> float:
    """Train one epoch and return the mean loss of its chunks."""
    losses = []
    for index, parts in enumerate(_ahead(strategy, batches)):
        calls.on_train_batch_begin(index)
        losses.append(step(*parts))
        calls.on_train_batch_end(index)
    chunks = [len(batches.rows(index)) for index in range(len(batches))]
    return float(np.average([float(loss) for loss in losses], weights=chunks))


def _ahead(strategy, batches: ShuffledBatches) -> Iterator[Any]:
    """Yield the parts of each batch, reading the next one during a step."""
    with ThreadPoolExecutor(1) as reader:
        coming = [reader.submit(_parts, strategy, batches, 0)]
        for index in range(1, len(batches) + 1):
            if index < len(batches):
                coming.append(reader.submit(_parts, strategy, batches, index))
            yield coming.pop(0).result()


def _parts(strategy, batches: ShuffledBatches, index: int) -> tuple[Any, Any, Any]:
    """Read inputs, targets and weights of this host's replicas, and of no other host's."""
    parts = split_rows(batches.rows(index), strategy.num_replicas_in_sync)

    def part(context) -> tuple[Any, Any, Any]:
        rows, weights = parts[context.replica_id_in_sync_group]
        inputs, targets = batches.read(rows)
        tensors = {name: keras.ops.convert_to_tensor(value) for name, value in inputs.items()}
        return tensors, keras.ops.convert_to_tensor(targets), keras.ops.convert_to_tensor(weights)

    return strategy.experimental_distribute_values_from_function(part)


def split_rows(rows: np.ndarray, replicas: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split a batch into equal parts: (rows, weights) per replica; all weights add up to 1.

    A batch that does not divide evenly is padded with rows of weight 0, so no replica is empty.
    """
    filled = np.resize(rows, -(-len(rows) // replicas) * replicas)
    weights = (np.arange(len(filled)) < len(rows)).astype(np.float32) / np.float32(len(rows))
    pairs = zip(np.split(filled, replicas), np.split(weights, replicas), strict=True)
    return list(pairs)


def _replicated_step(strategy, model: keras.Model):
    """Build one optimizer step on every replica, from the parts of a batch to its mean loss.

    The optimizer must have been built.
    """
    import tensorflow as tf

    optimizer, variables = model.optimizer, model.trainable_variables
    smoothing = model.loss.label_smoothing

    def on_replica(inputs, targets, weights):
        with tf.GradientTape() as tape:
            scores = model(inputs, training=True)
            losses = keras.losses.binary_crossentropy(targets, scores, label_smoothing=smoothing)
            loss = tf.reduce_sum(losses * weights)
            scaled = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))  # sums over replicas
        return loss

    @tf.function(reduce_retracing=True, autograph=False)
    def step(*parts):
        losses = strategy.run(on_replica, args=parts)
        return strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    return step
