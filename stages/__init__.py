"""The stages of the pipeline, one script each."""

import gc

# Importing TensorFlow makes a million objects that all stay: looking through them again and again
# for some that may go is a fifth of a stage's start. run_stage switches it on.
gc.disable()
