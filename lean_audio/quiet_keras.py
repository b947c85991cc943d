"""Imports Keras and its backend without their messages, and with Keras's own defaults.

TensorFlow prints some messages as its libraries are loaded, before it reads TF_CPP_MIN_LOG_LEVEL.
The backend is KERAS_BACKEND's or TensorFlow; what this user's keras.json says changes no result.
"""

import os
from importlib.util import find_spec

from lean_audio.errors import LeanError
from lean_audio.screen import quiet_stderr

BACKENDS = ("tensorflow", "jax")

_backend = os.environ.setdefault("KERAS_BACKEND", BACKENDS[0])
if _backend not in BACKENDS or find_spec(_backend) is None:
    raise LeanError(
        f"KERAS_BACKEND is {_backend!r}; it must be tensorflow (the default) or jax, and installed"
    )
with quiet_stderr():
    import keras

keras.config.set_floatx("float32")
keras.config.set_image_data_format("channels_last")
keras.config.set_epsilon(1e-7)
