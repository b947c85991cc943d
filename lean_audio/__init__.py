"""LEAN: a reproducible audio-tagging pipeline, from sound to the ablation table."""

import os
import sys

# TensorFlow reads both once, when it starts. Hide its chatter, keep its errors.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# One thread a kernel, independent kernels side by side: the bytes do not depend on the number of
# cores, and the two directions of the wave encoder train faster (see benchmarks/).
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# Keras and TensorFlow load these on the off chance that someone wants them: 3 s of the 8 in which
# a stage starts. They find them missing, and whoever else asks for them gets them.
WITHOUT = {
    "sklearn": ("keras",),
    "matplotlib": ("keras",),
    "jax": ("tensorflow", "keras.src.callbacks"),
}


class _Withhold:
    """Of the modules in WITHOUT, from those named there, while they are being loaded."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        for asking in WITHOUT.get(name, ()):
            spec = getattr(sys.modules.get(asking), "__spec__", None)
            if getattr(spec, "_initializing", False):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, _Withhold)  # pyright: ignore[reportArgumentType]
