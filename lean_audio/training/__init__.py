"""Train a head on cached features, on one or several devices, and score clips with it.

Layer 6 of 7: imports model, features, metrics, backbones and below. Batches, the training loop and
the trained head's files belong here. The code is backend-neutral Keras except for `strategy`.
"""
