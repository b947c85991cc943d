"""Bring a dataset here: generate the demo, read your own sounds, or download FSD50K."""

from lean_audio.config.params import load_params, load_source
from lean_audio.config.paths import Paths
from lean_audio.datasets.demo.generate import generate
from lean_audio.datasets.folder import check_learnable, read_own_sounds
from lean_audio.datasets.fsd50k import download_archives, read_archives
from lean_audio.datasets.layout import read_layout
from stages import run_stage


def main(dataset: str) -> str:
    source, paths = load_source(dataset), Paths(dataset)
    line = ""
    if source.kind == "fsd50k":
        download_archives(source, paths.raw)
        found = read_archives(source, paths.raw)
    elif source.kind == "demo":
        generate(paths.raw, clips=source.clips)
        origin = f"{source.clips} synthetic clips, generated locally"
        found = read_layout(paths.raw, name=dataset, origin=origin, synthetic=True)
    else:
        found, line = read_own_sounds(source, dataset, load_params().prepare)
        check_learnable(found)
    found.save(paths.clips)
    return line or f"{len(found.clips):,} clips, {len(found.vocabulary)} labels"


if __name__ == "__main__":
    run_stage(main)
