"""Run every benchmark in a process of its own and print one Markdown table.

`scale [clips]` takes minutes, prints tables of its own and runs only when it is asked for.
"""

import os
import platform
import subprocess
import sys

PARTS = ("decode", "embed", "train", "memory", "predict", "gpu")  # the last where there is one


def main() -> None:
    if sys.argv[1:2] == ["scale"]:
        command = [sys.executable, "-m", "benchmarks.scale", *sys.argv[2:]]
        raise SystemExit(subprocess.run(command).returncode)
    chosen = sys.argv[1:] or PARTS
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores\n")
    print("| what | measured | alternative | ratio | wanted |")
    print("|---|---:|---:|---:|---:|", flush=True)
    for part in chosen:
        subprocess.run([sys.executable, "-m", f"benchmarks.{part}"], check=True)


if __name__ == "__main__":
    main()
