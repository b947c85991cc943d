"""Bring a dataset here and read it: clips with file, labels, split and licence.

Layer 4 of 7: imports audio, config, files, screen and errors. Every dataset ends up in FSD50K
layout and is read by `layout`. Downloads, manifests and licences belong here; decoding does not.
"""
