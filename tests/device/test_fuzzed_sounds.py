"""Broken headers: no traceback, no hang, no crash, bounded memory, and no other file is lost.

LEAN_FUZZ_INPUTS=10000 tries that many files instead of 500, and LEAN_FUZZ_SEED other ones.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mutations import broken_files, fix_checksums, sound_files

INPUTS = int(os.environ.get("LEAN_FUZZ_INPUTS", "500"))
SEED = int(os.environ.get("LEAN_FUZZ_SEED", "0"))
BATCH = 250
LIMIT_S = 300  # for a batch, on a busy machine
LIMIT_BYTES = 2_000_000 * 1024
LIMITED = f"""
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_AS, ({LIMIT_BYTES},) * 2)
sys.argv[0] = "lean-audio"
runpy.run_module("lean_audio.cli", run_name="__main__")
"""


def test_the_faults_differ_and_are_the_same_again():
    first, second = (list(broken_files(300, 7)) for _ in range(2))
    assert first == second
    assert len({content for _, content in first}) > 280
    whole = dict(sound_files())["ogg"]
    checked = bytearray(whole)
    fix_checksums(checked)
    assert checked == whole


def lay_out(folder: Path, files: list[tuple[str, bytes]], number: int) -> list[Path]:
    """Write a batch with a good file after every tenth."""
    folder.mkdir()
    paths = []
    good = np.random.default_rng(0).normal(0, 0.1, 8_000)
    for index, (suffix, content) in enumerate(files, number):
        paths.append(folder / f"{index:06d}.{suffix}")
        paths[-1].write_bytes(content)
        if index % 10 == 0:
            paths.append(folder / f"{index:06d}.good.wav")
            soundfile.write(paths[-1], good, 16_000)
    return paths


def check(paths: list[Path], done: subprocess.CompletedProcess[str]) -> int:
    """Assert that each file was tagged or named, and return how many were tagged."""
    assert done.returncode in (0, 1), (done.returncode, done.stderr[-2000:])
    tagged = {json.loads(line)["file"] for line in done.stdout.splitlines()}
    named = set()
    for line in done.stderr.splitlines():
        kind, file, _ = line.split(": ", 2)
        assert kind in ("error", "warning"), line
        if kind == "error":
            named.add(file)
    assert tagged | named == {str(path) for path in paths}
    assert not tagged & named
    assert not any(".good." in file for file in named)
    return len(tagged)


@pytest.mark.specialist
@pytest.mark.skipif(os.name != "posix", reason="memory cannot be limited here")
def test_broken_headers_cost_nothing_but_their_own_file(shipped, tmp_path):
    files = list(broken_files(INPUTS, SEED))
    tagged = 0
    for number in range(0, INPUTS, BATCH):
        paths = lay_out(tmp_path / str(number), files[number : number + BATCH], number)
        command = (sys.executable, "-c", LIMITED, "predict", *paths, "--model", shipped)
        done = subprocess.run(
            [*map(str, command), "--format", "json"],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        tagged += check(paths, done)
        for path in paths:
            path.unlink()
    assert 0.1 * INPUTS < tagged < INPUTS  # some faults harm, some do not
    print(f"{INPUTS} broken files, {tagged} files tagged, good ones included")
