"""Run every benchmark in a process of its own and print one Markdown table."""

import os
import platform
import subprocess
import sys

PARTS = ("decode", "embed", "train", "memory", "predict", "gpu")  # the last where there is one


def main() -> None:
    chosen = sys.argv[1:] or PARTS
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores\n")
    print("| what | measured | alternative | ratio | wanted |")
    print("|---|---:|---:|---:|---:|", flush=True)
    for part in chosen:
        subprocess.run([sys.executable, "-m", f"benchmarks.{part}"], check=True)


if __name__ == "__main__":
    main()
