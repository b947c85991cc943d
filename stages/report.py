"""Render the pages from what the other stages measured."""

from lean_audio.config.params import load_params
from lean_audio.errors import run_stage
from lean_audio.files import disown
from lean_audio.report.render import render


def main() -> None:
    params = load_params()
    paths = params.paths
    render(paths.metrics, paths.examples, paths.report, params.attention, params.settings_sha256)
    disown(paths.metrics)  # an experiment on another dataset would delete them
    print(f"report: {paths.report / 'index.html'}")


if __name__ == "__main__":
    run_stage(main)
