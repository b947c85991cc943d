"""A backbone that outputs pooled activations of inner layers beside its embedding."""

from collections.abc import Sequence

import keras
from keras import layers

from lean_audio.backbones.base import EMBEDDING, MAXIMUM, layer_of

BACKBONE_LAYER = "backbone"  # name of the extended network inside a head that trains it


def with_layers(model: keras.Model, names: Sequence[str], windowed: bool = False) -> keras.Model:
    """Extend a backbone by the pooled activations of some of its layers.

    Parameters
    ----------
    model
        The backbone, from a patch to its embedding.
    names
        Features to output: a layer's name for the mean over time and frequency, with _max at its
        end for the maximum.
    windowed
        Take maxima with a window as large as the activations. The result is the same; small
        runtimes have integer arithmetic for such windows, and none for a maximum over axes.

    Returns
    -------
    keras.Model
        From a patch to a dictionary of features, each (batch, width). Its weights are those of
        `model`, in the same order.
    """
    outputs = {EMBEDDING: model.output}
    for name in names:
        activations = model.get_layer(layer_of(name)).output
        if len(activations.shape) == 2:
            outputs[name] = activations
        elif name.endswith(MAXIMUM) and windowed:
            window = layers.MaxPooling2D(activations.shape[1:3], name=f"{name}_window")
            outputs[name] = layers.Flatten(name=f"{name}_pooled")(window(activations))
        else:
            maximum = name.endswith(MAXIMUM)
            pool = layers.GlobalMaxPooling2D if maximum else layers.GlobalAveragePooling2D
            outputs[name] = pool(name=f"{name}_pooled")(activations)
    return keras.Model(model.input, outputs, name=BACKBONE_LAYER)
