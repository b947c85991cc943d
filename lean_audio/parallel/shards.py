"""Spread shards over the processes of this machine, or over a Dask cluster of several.

The result of a finished shard is kept in a file, so no shard is computed twice: not when its worker
dies afterwards, and not when the whole run is lost and resumed.
"""

import hashlib
import json
import logging
import platform
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from lean_audio.errors import LeanError
from lean_audio.files import FINISHED, atomic_file, read_json, sha256
from lean_audio.parallel.pool import count_workers, open_pool
from lean_audio.screen import progress, say

if TYPE_CHECKING:
    from distributed import Client, Future

LOCAL = "local"
ATTEMPTS = 3  # while workers die and no shard is finished
CONNECT_S = 10
SENT_AT_ONCE = 200  # jobs; a larger graph makes Dask warn
LIBRARIES = ("numpy", "soundfile", "soxr", "ai-edge-litert")

Job = TypeVar("Job")


def map_shards(
    function: Callable[[Job], Any],
    jobs: Sequence[Job],
    folder: Path,
    *,
    workers: int,
    scheduler: str,
    title: str,
) -> Iterator[Any]:
    """Yield function(job) in the order of the jobs, with a progress bar.

    Parameters
    ----------
    function
        Returns JSON.
    jobs
        Its arguments.
    folder
        Of files.resumable_folder; jobs whose results it holds are not done again.
    workers
        Processes on this machine; 0 is one per core.
    scheduler
        local, or the address of a Dask scheduler whose workers see the same files.
    title
        Of the progress bar and of errors.

    Raises
    ------
    LeanError
        If the cluster is lost, or a shard kills its worker repeatedly.
    """
    kept = [folder / FINISHED / f"{number:05d}.json" for number in range(len(jobs))]
    there = set((folder / FINISHED).iterdir())
    rest = [(job, file) for job, file in zip(jobs, kept, strict=True) if file not in there]
    processes = min(count_workers(workers), len(rest))
    if scheduler != LOCAL:
        done = _on_cluster(function, rest, scheduler, title)
    elif processes > 1:
        done = _in_processes(function, rest, processes, title)
    else:
        done = (keep(function, job, file) for job, file in rest)
    before = len(jobs) - len(rest)
    if before:
        say(f"{title}: {before} of {len(jobs)} were done before")
    for _ in progress(done, title, len(jobs), initial=before, unit="shard"):
        pass
    for file in kept:
        yield read_json(file)["result"]


def keep(function: Callable[[Job], Any], job: Job, file: Path) -> None:
    """Do a job unless its result is in `file` already."""
    if not file.exists():
        text = json.dumps({"result": function(job)}, allow_nan=False)
        with atomic_file(
            file, make_folder=False
        ) as temporary:  # the run may be over, its folder gone
            temporary.write_text(text)


def content_key(**inputs: Any) -> str:
    """Hash what the shards' content follows from: the inputs, as JSON, and the software."""
    text = json.dumps({"inputs": inputs, "software": software()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def software() -> dict[str, str]:
    """Return what must be the same wherever shards of one run are computed."""
    package = Path(__file__).parents[1]
    hashes = [f"{path.relative_to(package)} {sha256(path)}" for path in package.rglob("*.py")]
    source = hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()
    versions = {library: version(library) for library in LIBRARIES}
    return {"lean_audio": source, "processor": platform.machine(), **versions}


def _in_processes(
    function: Callable[[Job], Any], rest: Sequence[tuple[Job, Path]], processes: int, title: str
) -> Iterator[None]:
    """Yield once per finished job, in any order."""
    failures = 0
    while rest and failures < ATTEMPTS:
        pool = open_pool(processes, function.__module__)
        try:
            futures = [pool.submit(keep, function, job, file) for job, file in rest]
            for future in as_completed(futures):
                future.result()
                yield
            return
        except BrokenProcessPool:
            left = [(job, file) for job, file in rest if not file.exists()]
            failures = failures + 1 if len(left) == len(rest) else 1
            rest = left
        finally:
            pool.shutdown(cancel_futures=True)
    if rest:
        raise LeanError(
            f"{title}: worker processes died {ATTEMPTS} times, perhaps out of memory; with "
            "fewer compute.workers each has more. Finished shards are kept"
        )


def _on_cluster(
    function: Callable[[Job], Any], rest: Sequence[tuple[Job, Path]], scheduler: str, title: str
) -> Iterator[None]:
    """Yield once per finished job, in any order."""
    import distributed  # half a second that only clusters need

    with _loss_explained(title), _connect(scheduler, title) as client:
        futures = client.map(
            _keep_in_worker,
            *([function] * len(rest), *zip(*rest, strict=True), [software()] * len(rest)),
            pure=False,
            batch_size=SENT_AT_ONCE,
        )
        shards = {future.key: file.stem for future, (_, file) in zip(futures, rest, strict=True)}
        for future in distributed.as_completed(futures):
            yield _settle(future, title, shards[future.key])


def _keep_in_worker(
    function: Callable[[Job], Any], job: Job, file: Path, expected: dict[str, str]
) -> None:
    """Do what `keep` does, on any host of the cluster."""
    here = f"the worker on {socket.gethostname()}"
    if not file.parent.is_dir():
        raise LeanError(
            f"{here} does not see {file.parents[1]}: every host needs the project's directory "
            "under the same path (docs/cluster.md)"
        )
    if other := [name for name, value in expected.items() if software()[name] != value]:
        raise LeanError(
            f"{here} has another {', '.join(other)} than this machine: install the same on all "
            "hosts (docs/cluster.md)"
        )
    keep(function, job, file)


def _settle(future: "Future", title: str, shard: str) -> None:
    """Raise what a job raised; LeanError if it killed its workers."""
    from distributed import KilledWorker

    try:
        future.result()
    except KilledWorker:
        raise LeanError(
            f"{title}: shard {shard} killed its worker each time it was tried, perhaps out of "
            "memory; with fewer compute.workers each has more"
        ) from None


@contextmanager
def _loss_explained(title: str) -> Iterator[None]:
    """Turn the loss of the scheduler into one sentence; Dask, Tornado and asyncio log more."""
    from distributed.comm.core import CommClosedError
    from distributed.utils import silence_logging_cmgr

    try:
        with ExitStack() as quiet:
            for talker in ("distributed", "tornado", "asyncio"):
                quiet.enter_context(silence_logging_cmgr(logging.CRITICAL, talker))
            yield
    except (CancelledError, CommClosedError):
        raise LeanError(
            f"{title}: the connection to the Dask scheduler is lost; finished shards are kept, "
            "and the next `dvc repro` does the rest"
        ) from None


@contextmanager
def _connect(address: str, title: str) -> "Iterator[Client]":
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT_S)
    except OSError:
        raise LeanError(
            f"cluster.scheduler: no Dask scheduler answers at {address} within {CONNECT_S} s; "
            "start one (docs/cluster.md) or set it to local"
        ) from None
    with client:
        cores = sum(cast("dict[str, int]", client.nthreads()).values())
        waiting = "" if cores else ", waiting for the first"
        link = f"dashboard at {client.dashboard_link}"
        say(f"{title}: {cores} workers{waiting}; {link}")
        yield client
