"""Bring a dataset here and read it: clips with file, labels, split and licence.

Layer 4 of 7: imports audio, config, files, screen and errors. Generated and downloaded datasets are
in FSD50K layout; one's own sounds (`folder`) are in any that `layouts` recognises. Downloads,
manifests, splits and licences belong here; decoding does not.
"""
