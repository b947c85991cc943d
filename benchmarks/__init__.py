"""Speed and memory as ratios against a stated alternative, measured in the same run."""
