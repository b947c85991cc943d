"""The stages of the pipeline, one script each."""

import gc

# Importing TensorFlow makes very many objects that all stay: looking through them again and again
# for some that may go is a fifth of a stage's imports. run_stage switches the search on.
gc.disable()
