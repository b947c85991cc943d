"""Imports Keras and its backend without their messages.

TensorFlow prints some as its libraries are loaded, before it reads TF_CPP_MIN_LOG_LEVEL.
"""

from lean_audio.screen import quiet_stderr

with quiet_stderr():
    import keras  # noqa: F401
