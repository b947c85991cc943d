"""`python -m lean_audio.cli` is `lean-audio`."""

import sys

from lean_audio.cli.main import main

sys.exit(main())
