"""Verified downloads that go on where they stopped: sizes and MD5 from a manifest."""

import errno
import hashlib
import shutil
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pandas as pd
import requests
from tqdm import tqdm

from lean_audio.errors import LeanError

BLOCK_BYTES = 2**16  # what an interruption costs at most
MOST_PAUSE_S = 60
PASSING = {408, 425, 429, 500, 502, 503, 504}  # states of a server that may do better soon


class PassingError(Exception):
    """Why a server gave nothing this time."""


class StoppedError(Exception):
    """Another file failed, or the user has had enough."""


@dataclass(frozen=True)
class RemoteFile:
    name: str
    bytes: int
    md5: str


def read_manifest(path: Path) -> list[RemoteFile]:
    """The files of a CSV with the columns file, bytes, md5; lines that start with # are notes."""
    try:
        table = pd.read_csv(path, comment="#", dtype={"file": str, "bytes": int, "md5": str})
        rows = table[["file", "bytes", "md5"]].itertuples(index=False)
        return [RemoteFile(*row) for row in rows]
    except (OSError, ValueError, KeyError) as error:
        raise LeanError(f"{path} is not a CSV of file, bytes, md5: {error}") from None


def missing_bytes(files: Sequence[RemoteFile], folder: Path) -> int:
    """How much is still to be fetched, going by sizes."""
    return sum(max(file.bytes - max(map(_size, _places(folder, file))), 0) for file in files)


@dataclass(frozen=True)
class Fetcher:
    """Where files come from and go to, and how much patience there is.

    tries: in a row that bring no byte, before a file is given up.
    """

    base_url: str
    folder: Path
    connections: int
    tries: int
    silence_s: float
    stopped: Event

    def fetch(self, files: Sequence[RemoteFile]) -> None:
        """Fetch what is not there yet; verify all.

        A file whose MD5 is wrong is set aside and fetched again once.
        Raises LeanError when a file cannot be had; what came of it stays for the next time.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        total = sum(file.bytes for file in files)
        with (
            tqdm(
                desc="download",
                total=total,
                initial=total - missing_bytes(files, self.folder),
                unit="B",
                unit_scale=True,
            ) as bar,
            ThreadPoolExecutor(self.connections) as pool,
        ):
            jobs = [pool.submit(self._fetch_one, file, bar) for file in files]
            try:
                wait(jobs, return_when=FIRST_EXCEPTION)
            finally:
                self.stopped.set()  # for those that still run
                pool.shutdown(cancel_futures=True)
        failed = [job.exception() for job in jobs if not job.cancelled()]
        for error in failed:
            if error and not isinstance(error, StoppedError):
                raise _explained(error, self.folder)

    def _fetch_one(self, file: RemoteFile, bar: tqdm) -> None:
        final, partial = _places(self.folder, file)
        aside = final.with_name(f"{file.name}.bad")
        if final.exists():
            if _size(final) == file.bytes and _md5(final) == file.md5:
                return
            final.replace(partial)  # cut off: completed below; changed: found out below
        for _ in range(2):
            self._complete(file, partial, bar)
            if _md5(partial) == file.md5:
                partial.replace(final)
                aside.unlink(missing_ok=True)
                return
            partial.replace(aside)
            self._advance(bar, -file.bytes)
        raise LeanError(
            f"{self._url(file)}: what comes has not the MD5 of the manifest ({file.md5}), "
            f"nor when fetched again; it is in {aside}"
        )

    def _complete(self, file: RemoteFile, partial: Path, bar: tqdm) -> None:
        """Append to `partial` until it has the size that it should have."""
        failures = 0
        while (have_bytes := _size(partial)) < file.bytes:
            try:
                self._append(file, partial, have_bytes, bar)
                reason = "the connection ended early"
            except (PassingError, requests.RequestException) as error:
                reason = _reason(error)
            failures = 0 if _size(partial) > have_bytes else failures + 1
            if failures == self.tries:
                raise LeanError(
                    f"{self._url(file)}: {reason} ({failures} times in a row); "
                    "what came is kept and the next run goes on from there"
                )
            if failures and self.stopped.wait(min(2.0 ** (failures - 1), MOST_PAUSE_S)):
                raise StoppedError

    def _append(self, file: RemoteFile, partial: Path, have_bytes: int, bar: tqdm) -> None:
        headers = {"Accept-Encoding": "identity"}
        if have_bytes:
            headers["Range"] = f"bytes={have_bytes}-"
        url = self._url(file)
        with requests.get(url, headers=headers, stream=True, timeout=self.silence_s) as response:
            _check_status(response)
            resumed = response.headers.get("Content-Range", "").startswith(f"bytes {have_bytes}-")
            start = have_bytes if response.status_code == 206 and resumed else 0
            self._advance(bar, start - have_bytes)
            with partial.open("ab") as out:
                out.truncate(start)
                for block in response.iter_content(BLOCK_BYTES):
                    if self.stopped.is_set():
                        raise StoppedError
                    out.write(block)
                    self._advance(bar, len(block))
                    if out.tell() > file.bytes:  # not the file of the manifest; its MD5 will tell
                        return

    def _advance(self, bar: tqdm, count: int) -> None:
        with bar.get_lock():
            bar.update(count)

    def _url(self, file: RemoteFile) -> str:
        return f"{self.base_url.rstrip('/')}/{file.name}?download=1"


def check_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise LeanError unless so much is free where `folder` is or will be."""
    there = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free_bytes = shutil.disk_usage(there).free
    if free_bytes < needed_bytes:
        raise LeanError(
            f"{folder}: {what} need {needed_bytes / 1e9:.3g} GB, "
            f"and {free_bytes / 1e9:.3g} GB are free"
        )


def _places(folder: Path, file: RemoteFile) -> tuple[Path, Path]:
    """Where a file lies when it is whole and verified, and before."""
    return folder / file.name, folder / f"{file.name}.part"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return "the server is silent"
    if isinstance(error, requests.ConnectionError):
        return "the server cannot be reached"
    return str(error) if isinstance(error, PassingError) else "the connection ended early"


def _explained(error: BaseException, folder: Path) -> BaseException:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return LeanError(f"{folder}: the disk is full; what came is kept, make room and run again")
    return error


def _check_status(response: requests.Response) -> None:
    state = f"{response.status_code} {response.reason}"
    if response.status_code in PASSING:
        raise PassingError(f"the server answers {state}")
    if not response.ok:
        raise LeanError(f"{response.url}: the server answers {state}; is the address right?")
