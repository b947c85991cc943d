"""The all-integer file that takes log-mel patches, for chips without a Fourier transform."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tflite
from device_models import LABELS, card

from lean_audio.audio.log_mel import log_mel
from lean_audio.device.export import export_patch_tagger
from lean_audio.device.quantize import add_metadata
from lean_audio.device.recipes import MIXES, quantize
from lean_audio.errors import LeanError
from lean_audio.tagger import Tagger
from lean_audio.tflite.file import read_flatbuffer
from lean_audio.tflite.runtime import (
    PatchRuntime,
    Runtime,
    open_interpreter,
    open_tagger,
    takes_patches,
)


@pytest.fixture(scope="module", params=["yamnet-projection", "plus"])
def made(request, make_tagger):
    return request.param, make_tagger(request.param)


@pytest.fixture(scope="module")
def patch_file(made, params, backbone, backbone_weights):
    name, of_waveforms = made
    head = of_waveforms.folder / "head.weights.h5"
    content = export_patch_tagger(
        params.model(name).network, len(LABELS), backbone, backbone_weights, head
    )
    patches = [log_mel(wave)[None] for wave in of_waveforms.waveforms]
    (of_waveforms.folder / "float.tflite").write_bytes(content)
    path = of_waveforms.folder / "patch_int16.tflite"
    path.write_bytes(quantize(content, MIXES["patch_int16"], patches))
    add_metadata(path, LABELS, card(0.5, "repeat"), "patch_int16")
    return path


def test_its_scores_are_those_of_the_waveform_file(made, patch_file):
    _, of_waveforms = made
    assert takes_patches(patch_file)
    tag = open_tagger(patch_file)
    scores = np.array([tag(wave) for wave in of_waveforms.waveforms])
    # random weights enlarge rounding, and five waveforms calibrate poorly
    assert np.abs(scores - of_waveforms.scores).mean() <= 0.15


def test_before_rounding_they_are_equal(made, patch_file):
    _, of_waveforms = made
    interpreter = open_interpreter(patch_file.parent / "float.tflite", 1, "float")
    tag = interpreter.get_signature_runner("serving_default")
    scores = [tag(patch=log_mel(wave)[None])["scores"][0] for wave in of_waveforms.waveforms]
    np.testing.assert_allclose(scores, of_waveforms.scores, atol=1e-3)


def test_it_computes_in_integers_only(patch_file):
    model = read_flatbuffer(patch_file.read_bytes())
    types = {tensor.type for graph in model.subgraphs for tensor in graph.tensors}
    names = tflite.TensorType
    assert types <= {names.INT8, names.INT16, names.INT32, names.INT64}


def test_its_ends_are_integers_and_silence_is_not_clipped(patch_file):
    runtime = PatchRuntime(patch_file)
    assert runtime.shape == (96, 64)
    scale, zero = runtime._input["quantization"]
    assert scale * (32767 - zero) >= -np.log(0.001) * 0.999
    assert runtime._input["dtype"] == runtime._output["dtype"] == np.int16


def test_old_runtimes_know_its_operators(patch_file):
    model = read_flatbuffer(patch_file.read_bytes())
    assert not {code.builtinCode for code in model.operatorCodes} & {
        tflite.BuiltinOperator.RFFT2D,
        tflite.BuiltinOperator.WHILE,
        tflite.BuiltinOperator.REDUCE_MAX,
    }


def test_the_command_line_says_that_it_takes_the_waveform(patch_file):
    with pytest.raises(
        LeanError, match=r"takes int16 \(1, 96, 64\); a waveform model takes float32"
    ):
        Tagger(patch_file)
    with pytest.raises(LeanError, match="not integers"):
        PatchRuntime(patch_file.parent / "bare.tflite")
    assert Runtime(patch_file.parent / "bare.tflite")


def test_a_network_with_the_wave_encoder_has_none(lean, params, backbone, backbone_weights):
    network = params.model("joint-bahdanau").network
    with pytest.raises(LeanError, match="needs the waveform"):
        export_patch_tagger(
            network, len(LABELS), backbone, backbone_weights, lean.folder / "head.weights.h5"
        )
