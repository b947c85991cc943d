"""Make .tflite files from a trained head, measure them, and choose the one to ship.

Layer 7 of 7: imports training, model, features, metrics, tflite and below. Export, quantization,
its sensitivity, and what a file costs and scores on a device belong here.
"""
