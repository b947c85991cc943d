"""YAMNet (a MobileNet v1) as a Keras model, with weights from its SavedModel."""

from pathlib import Path

import keras
from keras import layers

from lean_audio.backbones.base import EMBEDDING, Backbone
from lean_audio.backbones.logmel import BANDS, FRAMES, LogMel
from lean_audio.errors import LeanError

# filters and stride of the 13 depthwise-separable blocks (MobileNet v1)
BLOCKS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *(((512, 1),) * 5),
    *((1024, 2), (1024, 1)),
)
_CONVOLUTION = {"padding": "same", "use_bias": False}


def build_yamnet() -> keras.Model:
    """Build YAMNet: log-mel patch (batch, 96, 64) to embedding (batch, 1024).

    It has 3,217,344 parameters, batch-norm statistics included.
    """
    patch = keras.Input((FRAMES, BANDS), name="log_mel")
    x = layers.Reshape((FRAMES, BANDS, 1), name="channel")(patch)
    x = _normalised(layers.Conv2D(32, 3, strides=2, **_CONVOLUTION, name="stem")(x), "stem")
    for number, (filters, stride) in enumerate(BLOCKS, 1):  # ends at (batch, 3, 2, 1024)
        depthwise, pointwise = f"depthwise_{number}", f"pointwise_{number}"
        x = layers.DepthwiseConv2D(3, strides=stride, **_CONVOLUTION, name=depthwise)(x)
        x = _normalised(x, depthwise)
        x = _normalised(layers.Conv2D(filters, 1, **_CONVOLUTION, name=pointwise)(x), pointwise)
    embedding = layers.GlobalAveragePooling2D(name="embedding")(x)
    return keras.Model(patch, embedding, name="yamnet")


def _normalised(x, name: str):
    x = layers.BatchNormalization(scale=False, epsilon=1e-4, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def load_savedmodel(model: keras.Model, savedmodel: Path) -> None:
    """Load the variables of YAMNet's SavedModel into `model`.

    Raises LeanError if the directory does not hold them.
    """
    import tensorflow as tf

    try:
        checkpoint = tf.train.load_checkpoint(str(savedmodel / "variables" / "variables"))
        for number, layer in enumerate(_layers_with_weights(model)):
            keys = [f"_yamnet/layer_with_weights-{number}/{name}" for name in _names(layer)]
            layer.set_weights(
                [checkpoint.get_tensor(f"{key}/.ATTRIBUTES/VARIABLE_VALUE") for key in keys]
            )
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise LeanError(
            f"yamnet.source: {savedmodel} is not YAMNet's SavedModel ({reason})"
        ) from None


def _layers_with_weights(model: keras.Model) -> list[keras.Layer]:
    return [layer for layer in model.layers if layer.weights]


def _names(layer: keras.Layer) -> list[str]:
    if isinstance(layer, layers.BatchNormalization):
        return ["beta", "moving_mean", "moving_variance"]
    return ["depthwise_kernel" if isinstance(layer, layers.DepthwiseConv2D) else "kernel"]


BACKBONE = Backbone(
    name="YAMNet",
    units={EMBEDDING: 1024}
    | {f"pointwise_{number}_relu": filters for number, (filters, _) in enumerate(BLOCKS, 1)},
    front_end=lambda mean_normalization: LogMel(mean_normalization, name="log_mel"),
    build=build_yamnet,
    load=load_savedmodel,
)
