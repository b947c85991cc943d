"""The stages of the pipeline, one script each, and what all of them share as they start and end."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from inspect import signature

from lean_audio.errors import LeanError

# TensorFlow reads both once, when it is imported. One thread per operation, independent operations
# side by side: the bytes do not depend on the number of cores, and the two directions of the wave
# encoder train faster (see benchmarks/).
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


def run_stage(main: Callable[..., None]) -> None:
    """Run a stage: `main`'s parameters are the options of its command line.

    A LeanError becomes its sentence on stderr and exit code 1.
    """
    parser = ArgumentParser(description=sys.modules[main.__module__].__doc__)
    for name, parameter in signature(main).parameters.items():
        parser.add_argument(f"--{name}", type=parameter.annotation, required=True)
    try:
        main(**vars(parser.parse_args()))
    except LeanError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
