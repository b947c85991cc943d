"""The command `lean-audio`: run a shipped model on files or a live stream.

Layer 5 of 7: imports tagger, audio, parallel, files and errors, and never TensorFlow, Keras or
pandas: it works where only the base dependencies are installed. Arguments, formats of results,
collections of files and pictures belong here; scoring belongs in tagger.
"""
