"""`python -m lean_audio.cli` is `lean-audio`."""

import sys

from lean_audio.cli.main import main

if __name__ == "__main__":  # processes of --jobs import this module too
    sys.exit(main())
