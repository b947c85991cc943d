"""A miniature of FSD50K as published, with split zips, and a server on loopback that has faults."""

import hashlib
import json
import shutil
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from lean_audio.datasets.demo.generate import generate

LICENCES = (
    "http://creativecommons.org/publicdomain/zero/1.0/",
    "http://creativecommons.org/licenses/by/3.0/",
    "http://creativecommons.org/licenses/by-nc/3.0/",
)
PARTS = {"FSD50K.dev_audio": 6, "FSD50K.eval_audio": 2}


@dataclass(frozen=True)
class Miniature:
    """folder: the eleven files; manifest: of them and of the counts; counts: clips by split."""

    folder: Path
    manifest: Path
    counts: dict[str, int]
    classes: int

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


def make_miniature(folder: Path, clips: int) -> Miniature:
    """The demo's sounds packed as FSD50K is; needs Info-ZIP's `zip`."""
    sounds, packed = folder / "sounds", folder / "packed"
    generate(sounds, clips=clips)
    truth = sounds / "FSD50K.ground_truth"
    dev, evaluation = (pd.read_csv(truth / f"{part}.csv", dtype=str) for part in ("dev", "eval"))
    (sounds / "FSD50K.metadata").mkdir()
    for part, table in (("dev", dev), ("eval", evaluation)):
        about = {
            clip: {"title": clip, "license": LICENCES[number % 3], "uploader": f"user{number % 7}"}
            for number, clip in enumerate(table["fname"])
        }
        path = sounds / "FSD50K.metadata" / f"{part}_clips_info_FSD50K.json"
        path.write_text(json.dumps(about))
    (sounds / "FSD50K.doc").mkdir()
    (sounds / "FSD50K.doc" / "README.md").write_text("A miniature.\n")
    packed.mkdir()
    for part in sorted(path.name for path in sounds.iterdir()):
        pack(sounds, part, packed / f"{part}.zip", PARTS.get(part, 1))
    counts = {**dev["split"].value_counts().to_dict(), "eval": len(evaluation)}
    classes = len((truth / "vocabulary.csv").read_text().splitlines())
    manifest = folder / "manifest.yaml"
    write_manifest(packed, manifest, counts, classes)
    return Miniature(packed, manifest, counts, classes)


def pack(root: Path, name: str, archive: Path, parts: int) -> None:
    """Zip a folder, split by zip itself into so many files."""
    subprocess.run(["zip", "-q", "-r", "-X", archive, name], cwd=root, check=True)
    if parts > 1:
        size_kb = -(-archive.stat().st_size // (1024 * parts)) + 1
        archive.unlink()
        split = ["zip", "-q", "-r", "-X", "-s", f"{size_kb}k", archive, name]
        subprocess.run(split, cwd=root, check=True)
        assert len(list(archive.parent.glob(f"{archive.stem}.z*"))) == parts
        add_64_bit_records(archive)


def add_64_bit_records(archive: Path) -> None:
    """As zip itself does where the parts are more than 4 GiB in all: before the last record."""
    content = archive.read_bytes()
    end = content.rfind(b"PK\x05\x06")
    _, last, part, here, entries, size, offset, _ = struct.unpack_from("<4s4H2LH", content, end)
    numbers = (last, part, here, entries, size, offset)
    record = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 0x31E, 45, *numbers)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", last, end, last + 1)
    archive.write_bytes(content[:end] + record + locator + content[end:])


def write_manifest(folder: Path, manifest: Path, clips: dict[str, int], classes: int) -> None:
    """A manifest of the files of a folder."""
    files = []
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        md5 = hashlib.md5(content).hexdigest()  # noqa: S324
        files.append({"name": path.name, "bytes": len(content), "md5": md5})
    YAML().dump({"clips": clips, "classes": classes, "files": files}, manifest)


@dataclass
class Server:
    """faults: by file, what goes wrong with each of the next requests for it, in order.

    404, 503: the status; later: 429 with Retry-After; cut: closes after half of what was asked
    for; third: the same after a third, and ignores Range; stall: is silent after half of it, until
    `go_on` is set; whole: ignores Range; shift: answers with another range; flip: one wrong byte;
    a function is called first. asked: the file and Range of every request.
    """

    url: str
    folder: Path
    faults: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Server

    def do_GET(self) -> None:
        name = self.path.split("?")[0].rsplit("/", 1)[1]
        self.state.asked.append((name, self.headers.get("Range")))
        faults = self.state.faults.get(name, [])
        fault = faults.pop(0) if faults else None
        if callable(fault):
            fault()
        if isinstance(fault, int):
            self.send_error(fault)
            return
        if fault == "later":
            self.send_response(429)
            self.send_header("Retry-After", "2")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = (self.state.folder / name).read_bytes()
        span = self.headers.get("Range")
        asked = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
        start = {"whole": 0, "third": 0, "shift": asked // 2}.get(str(fault), asked)
        body = bytearray(content[start:])
        if fault == "flip":
            body[len(body) // 2] ^= 1
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent = len(body) // {"cut": 2, "stall": 2, "third": 3}.get(str(fault), 1)
        self.wfile.write(body[:sent])
        if fault == "stall":
            self.wfile.flush()
            self.state.go_on.wait(300)
        self.close_connection = sent < len(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """A server of the folder's files on a free port of loopback."""
    handler = type("Bound", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.state = Server(f"http://127.0.0.1:{server.server_port}/files", folder)
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    try:
        yield handler.state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def has_zip() -> bool:
    return shutil.which("zip") is not None
