"""`lean-audio` in this process, for tests in which no process of its own matters."""

import csv
import io
import sys
from dataclasses import dataclass

import pytest

from lean_audio.cli.main import main


@dataclass(frozen=True)
class Done:
    """What a command wrote."""

    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode()

    @property
    def complaint(self) -> str:
        return self.stderr.decode()

    @property
    def rows(self) -> list[dict[str, str]]:
        """Read the output as CSV."""
        return list(csv.DictReader(io.StringIO(self.text)))


def lean_audio(
    capture: pytest.CaptureFixture[bytes], *arguments: object, stdin: bytes = b"", code: int = 0
) -> Done:
    """Run a command and assert its exit code. capture: the fixture capsysbinary."""
    capture.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            returned = main([str(argument) for argument in arguments])
        except SystemExit as error:  # argparse
            returned = error.code
    done = Done(*capture.readouterr())
    assert returned == code, done.complaint
    return done
