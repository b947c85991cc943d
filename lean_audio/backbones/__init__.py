"""Pretrained networks that turn a chunk into an embedding, one file per network.

Layer 4 of 7: imports tflite, config, audio, files, screen and errors. `base` is the interface,
which needs no Keras. A network's front end, its weights with their origin, and the export of the
frozen part belong here.
"""
