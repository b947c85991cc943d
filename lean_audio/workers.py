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
    count = min(workers or len(os.sched_getaffinity(0)), len(shards))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        try:
            yield from tqdm(pool.map(function, shards), title, len(shards), unit="shard")
        except BrokenProcessPool:
            raise LeanError(f"{title}: a worker process died, perhaps out of memory") from None
