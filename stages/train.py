"""Train one model with one seed on cached features."""

from functools import partial

import lean_audio.quiet_keras  # noqa: F401
from lean_audio.backbones.base import load_backbone
from lean_audio.config.params import load_params
from lean_audio.files import sha256
from lean_audio.tracking.live import follow
from lean_audio.training.batches import open_examples
from lean_audio.training.callbacks import ProgressBar
from lean_audio.training.fit import train
from lean_audio.training.heads import save_head
from lean_audio.training.strategy import is_chief
from stages import run_stage


def main(model: str, seed: int) -> str:
    params = load_params()
    network, recipe, paths = params.model(model).network, params.recipe(model), params.paths
    backbone = load_backbone(params.backbone, params.embed.mean_normalization)
    training, validation = (
        open_examples(paths.audio, paths.embeddings, split) for split in ("train", "val")
    )
    inputs = (network, training, validation, recipe, backbone, paths.weights)
    work = partial(train, *inputs, seed=seed, strategy=params.compute.strategy)
    if not is_chief(params.compute.strategy):
        return work().result  # the chief writes the outputs
    files = paths.training(model, seed)
    with follow(params, model, seed) as live:
        run = work(callbacks=[live, ProgressBar(f"train {model}")])
        save_head(files.head, model, seed, network, run.model)
    data = {"train": training.embeddings.data_sha256, "val": validation.embeddings.data_sha256}
    names = {"model": model, "seed": seed, "settings_sha256": params.settings_sha256(model)}
    names |= {"weights_sha256": sha256(files.weights), "data_sha256": data}
    return run.save(files.record, names | recipe.model_dump())


if __name__ == "__main__":
    run_stage(main)
