"""The front end of small chips: NumPy and C give the patch that the Keras layer gives."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest
from helpers import ROOT

from lean_audio.audio.log_mel import BANDS, FRAMES, PATCH_SAMPLES, log_mel
from lean_audio.tflite.golden import golden_waveforms

SOURCE = ROOT / "docs" / "log_mel.c"
WAVES = {name: (wave / 32768).astype(np.float32) for name, wave in golden_waveforms().items()} | {
    "silence": np.zeros(16_000, np.float32),
    "loud": np.tile(np.array([-1, 1], np.float32), 8000),
}


@pytest.fixture(scope="module")
def in_c(tmp_path_factory):
    """log_mel of docs/log_mel.c, compiled with warnings as errors."""
    if not (compiler := shutil.which("gcc") or shutil.which("cc")):
        pytest.skip("no C compiler here")
    library = tmp_path_factory.mktemp("c") / "log_mel.so"
    options = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC")
    subprocess.run([compiler, *options, str(SOURCE), "-o", str(library), "-lm"], check=True)
    function = ctypes.CDLL(str(library)).log_mel

    def run(waveform: np.ndarray) -> np.ndarray:
        patch = np.empty((FRAMES, BANDS), np.float32)
        pointer = ctypes.POINTER(ctypes.c_float)
        function(waveform.ctypes.data_as(pointer), patch.ctypes.data_as(pointer))
        return patch

    return run


def assert_same(patch: np.ndarray, expected: np.ndarray) -> None:
    """Equal before the logarithm, which enlarges rounding near silence beside a loud band."""
    np.testing.assert_allclose(np.exp(patch), np.exp(expected), rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("name", WAVES)
def test_c_gives_the_patch_of_numpy(in_c, name):
    assert_same(in_c(WAVES[name]), log_mel(WAVES[name]))


@pytest.mark.parametrize("name", WAVES)
def test_numpy_gives_the_patch_of_the_keras_layer(name):
    from lean_audio.backbones.logmel import LogMel

    expected = np.asarray(LogMel()(WAVES[name][None]))[0]
    assert_same(log_mel(WAVES[name]), expected)


def test_only_the_first_975_ms_count():
    changed = WAVES["noise"].copy()
    changed[PATCH_SAMPLES:] = 0
    np.testing.assert_array_equal(log_mel(changed), log_mel(WAVES["noise"]))


def test_silence_is_the_logarithm_of_the_offset():
    np.testing.assert_allclose(log_mel(WAVES["silence"]), np.log(0.001), atol=1e-6)


def test_the_golden_waveforms_are_those_of_the_documentation():
    """Computed by hand from the recurrences that docs/device.md states."""
    state, phase, noise, sweep = 1, 0, [], []
    for n in range(16_000):
        state = (1664525 * state + 1013904223) % 2**32
        noise.append((state >> 18) - 8192)
        phase = (phase + 200 + n // 8) % 65536
        sweep.append(phase // 4 - 8192)
    claps = [sample >> (n % 4000 // 300) for n, sample in enumerate(noise)]
    waves = golden_waveforms()
    assert {name: wave.tolist() for name, wave in waves.items()} == {
        "noise": noise,
        "claps": claps,
        "sweep": sweep,
    }
    states = (1015568748, 1586005467, 2165703038)  # the generator's, as published
    assert noise[:3] == [(state >> 18) - 8192 for state in states]
