"""Generate the demo dataset: synthetic sounds in FSD50K layout.

Layer 3 of 7: imports screen and errors only. `synth` has the building blocks; `music`, `nature` and
`things` have one function per sound; `vocabulary` maps them to FSD50K's labels; `generate` writes
the clips.
"""
