"""`python -m lean_audio.cli` is `lean-audio`."""

from lean_audio.cli.main import main

main()
