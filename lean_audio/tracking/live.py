"""Log a training to MLflow while it runs; MLflow's failures never stop it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keras

from lean_audio.config.params import Params
from lean_audio.files import sha256
from lean_audio.metrics.rounding import rounded
from lean_audio.tracking.store import (
    Store,
    fail_fast,
    finished,
    log_metrics,
    log_params,
    open_store,
    this_process,
)
from lean_audio.tracking.tags import run_name, run_params, run_tags


class LiveRun(keras.callbacks.Callback):
    """Logs every epoch. On MLflow's first failure it warns and leaves the run to stage track."""

    def __init__(self, params: Params, model: str, seed: int):
        super().__init__()
        self.run_id = ""
        self.store: Store | None = None
        self._unless_failed(lambda: self._start(params, model, seed))

    def _unless_failed(self, work: Callable[[], None]) -> None:
        """Call `work`; an observer must not stop what it observes, whatever goes wrong."""
        try:
            with fail_fast():
                work()
        except Exception as error:
            self.store = None
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            print(
                f"warning: MLflow failed ({reason}): training goes on without; "
                "stage track completes the run later",
                file=sys.stderr,
            )

    def _start(self, params: Params, model: str, seed: int) -> None:
        store, tags = open_store(params), run_tags(params, model, seed)
        with store.lock():
            store.clear_unfinished(tags["inputs"])
            run = store.client.create_run(
                store.experiment,
                run_name=run_name(model, seed),
                tags=tags | {"process": this_process()},
            )
        self.inputs, self.run_id, self.store = tags["inputs"], run.info.run_id, store
        log_params(store, self.run_id, run_params(params, model, seed))

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if store := self.store:
            self._unless_failed(lambda: log_metrics(store, self.run_id, rounded(logs), epoch + 1))

    def end(self, status: str) -> None:
        """status: FAILED or KILLED."""
        if store := self.store:
            self._unless_failed(lambda: store.client.set_terminated(self.run_id, status))

    def finish(self, weights: Path) -> None:
        """Finish the run; if the same training was tracked before, delete this run instead."""
        if store := self.store:
            self._unless_failed(lambda: self._finish(store, sha256(weights)))

    def _finish(self, store: Store, weights_sha256: str) -> None:
        with store.lock():
            if finished(store.runs(self.inputs), weights_sha256):
                store.client.delete_run(self.run_id)
                return
            store.client.set_tag(self.run_id, "weights_sha256", weights_sha256)
            store.client.set_terminated(self.run_id)


@contextmanager
def follow(params: Params, model: str, seed: int) -> Iterator[LiveRun]:
    """Yield the callback to train with; the block must also save the head."""
    live = LiveRun(params, model, seed)
    try:
        yield live
    except Exception:
        live.end("FAILED")
        raise
    except BaseException:  # Ctrl-C
        live.end("KILLED")
        raise
    live.finish(params.paths.training(model, seed).weights)
