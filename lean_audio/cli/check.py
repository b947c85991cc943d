"""`lean-audio check`: does a model file compute here what it computed where it was made?"""

from pathlib import Path

from lean_audio.tflite.card import read_card
from lean_audio.tflite.golden import compare_golden
from lean_audio.tflite.runtime import open_tagger


def check(path: Path) -> int:
    """Print the largest score difference for each golden waveform; return the exit code.

    0: all differences are within the file's tolerance; 1: this runtime computes something else.
    """
    read_card(path)  # which says what is wrong with a file that is no model of ours
    differences, tolerance = compare_golden(path, open_tagger(path))
    for name, difference in differences.items():
        verdict = "ok" if difference <= tolerance else "DIFFERS"
        print(
            f"  {name:6} largest score difference {difference:.6f}, allowed {tolerance}: {verdict}"
        )
    fine = all(difference <= tolerance for difference in differences.values())  # not so for NaN
    print(f"{path}: {'as where it was made' if fine else 'this runtime computes other scores'}")
    return 0 if fine else 1
