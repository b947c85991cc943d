"""Spread work over processes; the results are the same for any number of them."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from threading import Thread
from typing import TypeVar

from lean_audio.errors import LeanError
from lean_audio.screen import progress

Shard = TypeVar("Shard")
Result = TypeVar("Result")


def count_workers(workers: int) -> int:
    """Return the number of processes to use; 0 asks for one per core."""
    return workers or len(os.sched_getaffinity(0))


def open_pool(
    workers: int, module: str, calls_per_process: int | None = None
) -> ProcessPoolExecutor:
    """Open a pool of fresh processes, to be used as a context.

    Parameters
    ----------
    workers
        Number of processes; 0 is one per core.
    module
        Name of the module whose functions they will call. They are forked from a process that has
        imported it and nothing else.
    calls_per_process
        Calls after which a process is replaced by a new one; None for never.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([module])
    return ProcessPoolExecutor(
        count_workers(workers),
        context,
        initializer=_follow_parent,
        max_tasks_per_child=calls_per_process,
    )


def _follow_parent() -> None:
    """Leave Ctrl-C to the process that opened the pool, and end when that process is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def end_with_parent() -> None:
    """End this process when the one that started it is killed."""
    if parent := parent_process():
        Thread(target=_end_with, args=[parent.sentinel], daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    signal.raise_signal(signal.SIGTERM)


def map_in_pool(
    pool: ProcessPoolExecutor,
    function: Callable[[Shard], Result],
    shards: Sequence[Shard],
    *,
    title: str,
) -> Iterator[Result]:
    """Yield function(shard) in the order of the shards, with a progress bar.

    Raises LeanError when a process dies (out of memory, killed).
    """
    try:
        yield from progress(pool.map(function, shards), title, len(shards), unit="shard")
    except BrokenProcessPool:
        raise LeanError(f"{title}: a worker process died, perhaps out of memory") from None
