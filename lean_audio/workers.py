"""Spread shards of work over processes; the results are the same for any number of them."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from tqdm import tqdm

from lean_audio.errors import LeanError

Shard = TypeVar("Shard")
Result = TypeVar("Result")


def map_shards(
    function: Callable[[Shard], Result],
    shards: Sequence[Shard],
    *,
    workers: int,
    title: str,
) -> Iterator[Result]:
    """Yield function(shard) in the order of the shards, with a progress bar.

    workers: number of processes, each freshly started; 0 is one per core.
    Raises LeanError when a process dies (out of memory, killed).
    """
    with open_pool(min(count_workers(workers), len(shards))) as pool:
        yield from map_in_pool(pool, function, shards, title=title)


def count_workers(workers: int) -> int:
    return workers or len(os.sched_getaffinity(0))


def open_pool(workers: int) -> ProcessPoolExecutor:
    """Fresh processes, to be used as a context; for several maps one after the other."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count_workers(workers), mp_context=context)


def map_in_pool(
    pool: ProcessPoolExecutor,
    function: Callable[[Shard], Result],
    shards: Sequence[Shard],
    *,
    title: str,
) -> Iterator[Result]:
    """As map_shards, in processes that are there already."""
    try:
        yield from tqdm(pool.map(function, shards), title, len(shards), unit="shard")
    except BrokenProcessPool:
        raise LeanError(f"{title}: a worker process died, perhaps out of memory") from None
