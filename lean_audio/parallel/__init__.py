"""Spread work over processes or hosts, with the same results for any number of them.

Layer 3 of 7: imports files, screen and errors. `pool` is for work within a stage on this machine;
`shards` is for work on files that can be resumed and sent to a Dask cluster. Nothing here knows
what the work is.
"""
