"""Sound as samples: decode and resample files, find chunks, draw spectrograms.

Layer 2 of 7: imports screen and errors only. Readers of sound containers belong here (split zip
archives are one). Nothing here knows of labels, splits or models.
"""
