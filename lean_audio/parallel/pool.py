"""Spread work over processes; the results are the same for any number of them."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from tqdm import tqdm

from lean_audio.errors import LeanError

Shard = TypeVar("Shard")
Result = TypeVar("Result")


def count_workers(workers: int) -> int:
    """0 is one per core."""
    return workers or len(os.sched_getaffinity(0))


def open_pool(
    workers: int, module: str, calls_per_process: int | None = None
) -> ProcessPoolExecutor:
    """Fresh processes, to be used as a context; for several maps one after the other.

    module: whose functions they will call. They are forked from a process that has imported it and
    done nothing else.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([module])
    return ProcessPoolExecutor(
        count_workers(workers), context, max_tasks_per_child=calls_per_process
    )


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
        yield from tqdm(pool.map(function, shards), title, len(shards), unit="shard")
    except BrokenProcessPool:
        raise LeanError(f"{title}: a worker process died, perhaps out of memory") from None
