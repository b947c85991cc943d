"""Render the report pages and the model card from what the other stages measured."""

from lean_audio.config.params import load_params
from lean_audio.files import touch_tree
from lean_audio.report.models import report_models
from lean_audio.report.render import render
from stages import run_stage


def main() -> str:
    params = load_params()
    paths = params.paths
    render(
        paths.metrics,
        paths.examples,
        paths.doubted_sounds,
        paths.report,
        params.shown,
        report_models(params),
        params.seed,
        params.evaluate.resamples,
    )
    touch_tree(paths.metrics)  # an experiment on another dataset would delete them
    return str(paths.report / "index.html")


if __name__ == "__main__":
    run_stage(main)
