"""A backbone that outputs pooled activations of inner layers beside its embedding."""

from collections.abc import Sequence

import keras
from keras import layers

from lean_audio.backbones.base import EMBEDDING, MAXIMUM, layer_of

BACKBONE_LAYER = "backbone"  # name of the extended network inside a head that trains it


def with_layers(model: keras.Model, names: Sequence[str]) -> keras.Model:
    """Extend a backbone by the pooled activations of some of its layers.

    Parameters
    ----------
    model
        The backbone, from a patch to its embedding.
    names
        Features to output: a layer's name for the mean over time and frequency, with _max at its
        end for the maximum.

    Returns
    -------
    keras.Model
        From a patch to a dictionary of features, each (batch, width). Its weights are those of
        `model`, in the same order.
    """
    outputs = {EMBEDDING: model.output}
    for name in names:
        activations = model.get_layer(layer_of(name)).output
        pooling = (
            layers.GlobalMaxPooling2D if name.endswith(MAXIMUM) else layers.GlobalAveragePooling2D
        )
        pooled = pooling(name=f"{name}_pooled")
        outputs[name] = pooled(activations) if len(activations.shape) > 2 else activations
    return keras.Model(model.input, outputs, name=BACKBONE_LAYER)
