"""Render the tables from what the other stages measured."""

from lean_audio.errors import run_stage
from lean_audio.files import disown
from lean_audio.params import load_params
from lean_audio.report import render


def main() -> None:
    params = load_params()
    render(params.paths.metrics, params.paths.report, params.attention)
    disown(params.paths.metrics)  # an experiment on another dataset would delete them
    print(f"report: {params.paths.report / 'index.html'}")


if __name__ == "__main__":
    run_stage(main)
