"""Spread shards over the cores of this machine, or over a Dask cluster of several.

A shard that is finished leaves its result in a file, so that it is never done twice: not when its
worker dies afterwards, and not when the whole run is lost and taken up again.
"""

import hashlib
import json
import logging
import platform
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

import dask.config
from distributed import Client, Future, KilledWorker, LocalCluster, as_completed
from distributed.comm.core import CommClosedError
from distributed.utils import silence_logging_cmgr
from tqdm import tqdm

from lean_audio.errors import LeanError
from lean_audio.files import FINISHED, read_json, sha256, whole
from lean_audio.parallel.pool import count_workers

LOCAL = "local"
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
    """Yield function(job), which is JSON, in the order of the jobs, with a progress bar.

    folder: of files.resumable_folder; jobs whose results it holds are not done again.
    workers: processes on this machine, 0 is one per core; scheduler: local, or the address of a
    Dask scheduler, whose workers see the same files.
    Raises LeanError when the cluster is lost or a shard kills its worker again and again.
    """
    kept = [folder / FINISHED / f"{number:05d}.json" for number in range(len(jobs))]
    there = set((folder / FINISHED).iterdir())
    rest = [(job, file) for job, file in zip(jobs, kept, strict=True) if file not in there]
    processes = min(count_workers(workers), len(rest))
    if scheduler == LOCAL and processes <= 1:
        done = (keep(function, job, file) for job, file in rest)
    else:
        done = _spread(function, rest, processes, scheduler, title)
    for _ in tqdm(done, title, len(jobs), initial=len(jobs) - len(rest), unit="shard"):
        pass
    for file in kept:
        yield read_json(file)["result"]


def keep(function: Callable[[Job], Any], job: Job, file: Path) -> None:
    """Do a job whose result is not in `file` yet."""
    if not file.exists():
        text = json.dumps({"result": function(job)}, allow_nan=False)
        with whole(file, make_folder=False) as temporary:  # the run may be over, its folder gone
            temporary.write_text(text)


def content_key(**inputs: Any) -> str:
    """SHA-256 over what the shards' content follows from: the inputs, as JSON, and the software."""
    text = json.dumps({"inputs": inputs, "software": software()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def software() -> dict[str, str]:
    """What must be the same wherever shards of one run are made."""
    package = Path(__file__).parents[1]
    hashes = [f"{path.relative_to(package)} {sha256(path)}" for path in package.rglob("*.py")]
    source = hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()
    versions = {library: version(library) for library in LIBRARIES}
    return {"lean_audio": source, "processor": platform.machine(), **versions}


def _spread(
    function: Callable[[Job], Any],
    rest: Sequence[tuple[Job, Path]],
    processes: int,
    scheduler: str,
    title: str,
) -> Iterator[None]:
    """One step a finished job, in any order."""
    with _loss_explained(title), _connect(scheduler, processes, title) as client:
        futures = client.map(
            _keep_in_worker,
            *([function] * len(rest), *zip(*rest, strict=True), [software()] * len(rest)),
            pure=False,
            batch_size=SENT_AT_ONCE,
        )
        shards = {future.key: file.stem for future, (_, file) in zip(futures, rest, strict=True)}
        for future in as_completed(futures):
            yield _settle(future, title, shards[future.key])


def _keep_in_worker(
    function: Callable[[Job], Any], job: Job, file: Path, expected: dict[str, str]
) -> None:
    """As `keep`, on whatever host."""
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


def _settle(future: Future, title: str, shard: str) -> None:
    """Wait for a job and raise what it raised; LeanError for what befell its workers."""
    try:
        future.result()
    except KilledWorker:
        raise LeanError(
            f"{title}: shard {shard} killed its worker each time it was tried, perhaps out of "
            "memory; with fewer compute.workers each has more"
        ) from None


@contextmanager
def _loss_explained(title: str) -> Iterator[None]:
    """One sentence for a scheduler that goes; Dask, Tornado and asyncio would each say more."""
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
def _connect(scheduler: str, processes: int, title: str) -> Iterator[Client]:
    with _local(processes) if scheduler == LOCAL else _remote(scheduler) as client:
        cores = sum(cast("dict[str, int]", client.nthreads()).values())
        waiting = "" if cores else ", waiting for the first"
        link = f"dashboard at {client.dashboard_link}"
        tqdm.write(f"{title}: {cores} workers{waiting}; {link}", sys.stderr)
        yield client


@contextmanager
def _local(processes: int) -> Iterator[Client]:
    with (
        # set at all, it makes malloc return every large block: embed took 6 times the system time
        dask.config.set({"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None}),
        TemporaryDirectory(prefix="lean-") as scratch,
        LocalCluster(
            n_workers=processes,
            threads_per_worker=1,
            memory_limit=0,  # the shards bound it; Dask would pause and restart workers
            local_directory=scratch,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def _remote(address: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=CONNECT_S)
    except OSError:
        raise LeanError(
            f"cluster.scheduler: no Dask scheduler answers at {address} within {CONNECT_S} s; "
            "start one (docs/cluster.md) or set it to local"
        ) from None
    with client:
        yield client
