"""What params.yaml and models.yaml may contain, and where each file of a dataset lives.

Layer 2 of 7: imports errors only. The schema, the checks and the words for the difference between
two models belong here; work of any kind does not. Every setting is read through this package.
"""
