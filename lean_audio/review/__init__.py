"""Review a dataset: what may be wrong with its sounds, its splits and its labels.

Layer 6 of 7: imports features, datasets, metrics, audio, files, screen and errors. Nothing here
stops a run or changes a clip: what is found are warnings, for the owner of the sounds to look into.
Checks that need the sounds or cached features belong here; those that need only the list of clips
belong in datasets.
"""
