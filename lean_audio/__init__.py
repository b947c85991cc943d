"""LEAN: a reproducible audio-tagging pipeline, from sound to the ablation table."""

import os

# TensorFlow reads both once, when it starts. Hide its chatter, keep its errors.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# One thread a kernel, independent kernels side by side: the bytes do not depend on the number of
# cores, and the two directions of the wave encoder train faster (see benchmarks/).
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
