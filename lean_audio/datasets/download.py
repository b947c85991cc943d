"""Verified downloads that resume where they stopped."""

import errno
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError, ReadTimeoutError

from lean_audio.datasets.manifest import RemoteFile, missing_bytes, places, size, verified
from lean_audio.errors import LeanError
from lean_audio.screen import progress

BLOCK_BYTES = 2**18
CONNECTIONS = 3  # files downloaded side by side
ATTEMPTS = 10  # consecutive ones without progress before giving up; back-off doubles from 1 s
READ_TIMEOUT_S = 60.0
MAX_BACKOFF_S = 120
RETRY_STATUS = {408, 425, 429, 500, 502, 503, 504}  # HTTP states that may pass


class TransientError(Exception):
    """Why an attempt failed; pause_s: how long the server asks to wait."""

    def __init__(self, reason: str, pause_s: float = 0):
        super().__init__(reason)
        self.pause_s = pause_s


RETRIED = (
    TransientError,
    requests.Timeout,
    requests.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    HTTPError,  # urllib3's, while the body comes
    ConnectionError,
    TimeoutError,
)


class StoppedError(Exception):
    """Another file failed, or the user interrupted."""


@dataclass
class Downloader:
    """Downloads the files of a manifest from `base_url` to `folder`.

    connections: files downloaded side by side; attempts: consecutive ones without progress before
    a file is given up.
    """

    base_url: str
    folder: Path
    connections: int = CONNECTIONS
    attempts: int = ATTEMPTS
    read_timeout_s: float = READ_TIMEOUT_S
    stopped: Event = field(init=False)
    live: set[requests.Response] = field(init=False)

    def download(self, files: Sequence[RemoteFile]) -> None:
        """Download what is missing and verify everything.

        A file with a wrong MD5 is set aside and downloaded again once.
        Raises LeanError when a file cannot be had; what arrived is kept for the next run.
        """
        self.stopped, self.live = Event(), set()
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._bar(files) as bar, ThreadPoolExecutor(self.connections) as pool:
            jobs = [pool.submit(self._download_one, file, bar) for file in files]
            try:
                wait(jobs, return_when=FIRST_EXCEPTION)
            finally:
                self._stop()
                pool.shutdown(cancel_futures=True)
        failed = [job.exception() for job in jobs if not job.cancelled()]
        for error in failed:
            if error and not isinstance(error, StoppedError):
                raise _explained(error, self.folder)

    def _bar(self, files: Sequence[RemoteFile]) -> tqdm:
        total = sum(file.bytes for file in files)
        there = total - missing_bytes(files, self.folder)
        return progress(None, "download", total, initial=there, unit="B", unit_scale=True)

    def _stop(self) -> None:
        """Wake the threads that wait for the server."""
        self.stopped.set()
        for response in tuple(self.live):
            with suppress(AttributeError, OSError):
                response.raw.connection.sock.shutdown(socket.SHUT_RDWR)

    def _download_one(self, file: RemoteFile, bar: tqdm) -> None:
        final, partial = places(self.folder, file)
        aside = final.with_name(f"{file.name}.bad")
        if not verified(final, file):
            if final.exists() and size(final) < file.bytes:
                final.replace(partial)  # cut off: completed below
            elif final.exists():
                final.replace(aside)
                self._advance(bar, -file.bytes)
            self._download_twice(file, partial, aside, bar)
            partial.replace(final)
        for leftover in (partial, aside):
            leftover.unlink(missing_ok=True)

    def _download_twice(self, file: RemoteFile, partial: Path, aside: Path, bar: tqdm) -> None:
        """Download until `partial` is verified; a resumed file does not count as an attempt."""
        for _ in range(3 if partial.exists() else 2):
            self._complete(file, partial, bar)
            if verified(partial, file):
                return
            partial.replace(aside)
            self._advance(bar, -file.bytes)
        raise LeanError(
            f"{self._url(file)}: MD5 mismatch on two attempts (expected {file.md5}); the last "
            f"download is in {aside}"
        )

    def _complete(self, file: RemoteFile, partial: Path, bar: tqdm) -> None:
        """Append to `partial` until it has the size of the manifest."""
        failures, most_bytes = 0, size(partial)
        while (have_bytes := size(partial)) < file.bytes:
            reason, pause_s = self._try(file, partial, have_bytes, bar)
            failures = 0 if size(partial) > most_bytes else failures + 1
            most_bytes = max(most_bytes, size(partial))
            if failures == self.attempts:
                raise LeanError(
                    f"{self._url(file)}: {reason} ({failures} times in a row); "
                    "what arrived is kept and the next run resumes there"
                )
            if failures:
                pause_s = max(pause_s, 2.0 ** (failures - 1))
            if self.stopped.wait(min(pause_s, MAX_BACKOFF_S)):
                raise StoppedError

    def _try(
        self, file: RemoteFile, partial: Path, have_bytes: int, bar: tqdm
    ) -> tuple[str, float]:
        """Request the rest once; return why it is incomplete and how long to wait."""
        try:
            with self._answer(file, have_bytes) as response:
                start = have_bytes if response.status_code == 206 else 0
                self._advance(bar, start - have_bytes)
                self._append(response, partial, start, file.bytes, bar)
        except RETRIED as error:
            return _reason(error), getattr(error, "pause_s", 0)
        if self.stopped.is_set():
            raise StoppedError
        return "the connection ended early", 0

    @contextmanager
    def _answer(self, file: RemoteFile, have_bytes: int) -> Iterator[requests.Response]:
        headers = {"Accept-Encoding": "identity"}
        if have_bytes:
            headers["Range"] = f"bytes={have_bytes}-"
        try:
            response = requests.get(
                self._url(file), headers=headers, stream=True, timeout=self.read_timeout_s
            )
        except (ValueError, requests.TooManyRedirects) as error:
            raise LeanError(f"{self._url(file)} cannot be fetched: {error}") from None
        self.live.add(response)
        try:
            _check(response, have_bytes)
            yield response
        finally:
            self.live.discard(response)
            response.close()

    def _append(
        self, response: requests.Response, partial: Path, start: int, most_bytes: int, bar: tqdm
    ) -> None:
        with partial.open("ab") as out:
            out.truncate(start)
            while block := response.raw.read1(BLOCK_BYTES):
                out.write(block)
                self._advance(bar, len(block))
                if self.stopped.is_set() or out.tell() > most_bytes:
                    return  # more than the manifest says: another file, as its MD5 will tell

    def _advance(self, bar: tqdm, count: int) -> None:
        with bar.get_lock():
            bar.update(count)

    def _url(self, file: RemoteFile) -> str:
        return f"{self.base_url.rstrip('/')}/{file.name}?download=1"


def _check(response: requests.Response, have_bytes: int) -> None:
    """Check that the response is the file, or the range that was requested."""
    state = f"the server answers {response.status_code} {response.reason}"
    if response.status_code in RETRY_STATUS:
        wanted = response.headers.get("Retry-After", "")
        raise TransientError(state, float(wanted) if wanted.isdigit() else 0)
    if response.status_code == 416:
        raise LeanError(f"{response.url}: {state}: its file is shorter than the manifest says")
    if response.status_code not in (200, 206):
        raise LeanError(f"{response.url}: {state}; is the address right?")
    span = response.headers.get("Content-Range", "")
    if response.status_code == 206 and not span.startswith(f"bytes {have_bytes}-"):
        raise TransientError(f"the server answers with another range than asked for ({span!r})")


def _reason(error: Exception) -> str:
    if isinstance(error, requests.Timeout | ReadTimeoutError | TimeoutError):
        return "read timed out"
    if isinstance(error, requests.ConnectionError):
        return f"the server cannot be reached ({type(error).__name__})"
    return str(error) if isinstance(error, TransientError) else "the connection ended early"


def _explained(error: BaseException, folder: Path) -> BaseException:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LeanError(
            f"{folder}: the disk is full; what arrived is kept, free space and run again"
        )
    if isinstance(error, OSError):
        return LeanError(f"{error.filename or folder}: {error.strerror or error}")
    return error
