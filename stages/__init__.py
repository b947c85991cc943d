"""The stages of the pipeline, one script each, and what all of them share as they start and end."""

import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from inspect import Parameter, signature
from pathlib import Path

from lean_audio.config.paths import check_links
from lean_audio.errors import LeanError
from lean_audio.screen import close_bars

STARTED_S = time.monotonic()

# TensorFlow reads both once, when it is imported. One thread per operation, independent operations
# side by side: the bytes do not depend on the number of cores, and the two directions of the wave
# encoder train faster (see benchmarks/).
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


def run_stage(main: Callable[..., str | None]) -> None:
    """Run a stage: `main`'s parameters are the options of its command line.

    What `main` returns is the stage's one line on the screen. A LeanError becomes its sentence on
    stderr and exit code 1.
    """
    parser = ArgumentParser(description=sys.modules[main.__module__].__doc__)
    for name, parameter in signature(main).parameters.items():
        required, default = parameter.default is Parameter.empty, parameter.default
        parser.add_argument(
            f"--{name}", type=parameter.annotation, required=required, default=default
        )
    arguments = vars(parser.parse_args())
    try:
        if "DVC_STAGE" in os.environ:
            check_links()
        result = main(**arguments)
    except LeanError as error:
        close_bars()
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    if result:
        name = " ".join(map(str, (Path(sys.argv[0]).stem, *arguments.values())))
        print(f"{name:<28} {result} ({time.monotonic() - STARTED_S:.0f} s)", flush=True)


def _show_error(kind: type[BaseException], error: BaseException, trace: object) -> None:
    close_bars()
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted: run the same command again to go on", file=sys.stderr)
    elif issubclass(kind, LeanError):  # as a module is imported
        print(f"error: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)  # pyright: ignore


sys.excepthook = _show_error  # Ctrl-C is no fault: one line instead of a traceback
