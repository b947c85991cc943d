"""Speed and memory as ratios to a stated alternative, measured in the same run."""

import stages  # noqa: F401  # sets TensorFlow's number of threads, as for every stage
