"""The ways in which people lay out labelled sounds, one module per layout.

Each reader returns the same table of clips (`found.Found`): file, labels, and split, group, licence
and uploader where they are stated. `recognise` chooses the reader. Nothing here hashes or decodes.
"""
