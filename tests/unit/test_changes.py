"""How the report states what a model changes: computed from the settings of both."""

import pytest
from helpers import of_dataset

from lean_audio.config.changes import describe_change

MINUS, ARROW = "\N{MINUS SIGN}", "\N{RIGHTWARDS ARROW}"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("yamnet", ""),
        ("joint-bahdanau", ""),
        (
            "recipe",
            f"epochs 40 {ARROW} 20, learning rate 0.0001 {ARROW} 0.001, "
            f"schedule constant {ARROW} cosine",
        ),
        ("no-encoder", "no wave encoder"),
        ("normalized", "normalization"),
        ("rectified", f"activation linear {ARROW} relu"),
        ("dropout", f"dropout 0 {ARROW} 0.65"),
        ("one-layer", "+ pointwise_12_relu"),
        ("four-layers", "+ pointwise_5_relu, + pointwise_8_relu, + pointwise_11_relu"),
        (
            "maxima",
            "+ pointwise_5_relu_max, + pointwise_8_relu_max, + pointwise_11_relu_max",
        ),
        ("plus", f"epochs 20 {ARROW} 40, mixup 0 {ARROW} 1"),
        ("plus-encoder", "with wave encoder"),
        ("plus-wide", f"projection 256 {ARROW} 512"),
        ("plus-smoothed", f"label smoothing 0 {ARROW} 0.1"),
        ("yamnet-finetuned", f"backbone frozen {ARROW} finetuned"),
        (
            "yamnet-scratch",
            f"backbone finetuned {ARROW} scratch, learning rate 0.0001 {ARROW} 0.001",
        ),
    ],
)
def test_every_setting_that_differs_is_named_and_no_other(params, name, change):
    assert describe_change(of_dataset(params, "sounds"), name) == change


@pytest.mark.parametrize(
    ("after", "name", "change"),
    [
        (
            "four-layers",
            "one-layer",
            f"{MINUS} pointwise_5_relu, {MINUS} pointwise_8_relu, {MINUS} pointwise_11_relu",
        ),
        ("normalized", "no-encoder", "no normalization"),
        ("yamnet-projection", "yamnet", "no projection"),
        ("joint-none", "joint-bahdanau", "wave encoder units 128, attention bahdanau 128"),
        ("joint-bahdanau", "joint-none", "wave encoder units 128, attention none"),
    ],
)
def test_what_is_taken_away_is_named_too(params, after, name, change):
    models = params.models | {name: params.models[name].model_copy(update={"after": after})}
    assert describe_change(params.model_copy(update={"models": models}), name) == change
