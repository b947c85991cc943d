"""Run every benchmark in its own process and print one Markdown table.

`python -m benchmarks decode train` runs the parts that it names. `python -m benchmarks scale
[clips]` takes minutes and prints its own tables, so it runs only when named.
"""

import os
import platform
import subprocess
import sys

PARTS = ("decode", "embed", "train", "memory", "predict", "collection", "gpu")


def main() -> None:
    if sys.argv[1:2] == ["scale"]:
        command = [sys.executable, "-m", "benchmarks.scale", *sys.argv[2:]]
        raise SystemExit(subprocess.run(command).returncode)
    chosen = sys.argv[1:] or PARTS
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores\n")
    print("| what | measured | alternative | ratio | target |")
    print("|---|---:|---:|---:|---:|", flush=True)
    for part in chosen:
        subprocess.run([sys.executable, "-m", f"benchmarks.{part}"], check=True)


if __name__ == "__main__":
    main()
