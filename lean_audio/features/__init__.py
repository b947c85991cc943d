"""From clips to cached features: 16-bit samples, tables of chunks, embeddings of every chunk.

Layer 5 of 7: imports backbones, datasets, parallel, tflite and below. The stages prepare and embed,
the readers of what they store, and the fingerprints of the data belong here.
"""
