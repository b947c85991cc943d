"""Every .tflite gives Keras's scores within its tolerance, and other tools can read it."""

import json
import os
import re
import zipfile
from functools import partial

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tflite
from ai_edge_litert.interpreter import Interpreter
from device_models import LABELS, write

from lean_audio.config.schema import Scheme
from lean_audio.device.quantize import run_guarded
from lean_audio.device.recipes import BASE, GROUPS, MIXES, groups_of, quantize
from lean_audio.errors import LeanError
from lean_audio.model import build_head
from lean_audio.tflite.file import read_flatbuffer
from lean_audio.tflite.runtime import Runtime

TOLERANCE: dict[Scheme, float] = {  # of a score in [0, 1], for random weights
    "float32": 1e-4,
    "float16": 0.01,
    "weight_only_int8": 0.08,
    "dynamic_int8": 0.2,
    "selective_int8": 0.2,
    "int4": 0.45,
}
MIXED = MIXES | {
    "selective_int8": BASE | {"pointwise 13": "dynamic", "encoder 1, input": "dynamic"},
    "int4": BASE | {"pointwise 13": "int4", "encoder 1, recurrent": "int4"},
}


def run(path, waveforms) -> np.ndarray:
    runtime = Runtime(path)
    return np.array([runtime(waveform) for waveform in waveforms])


@pytest.mark.parametrize("scheme", TOLERANCE)
def test_each_schemes_file_agrees_with_keras(lean, tmp_path, scheme):
    path = write(lean.bare, tmp_path / "x.tflite", scheme, MIXED[scheme])
    difference = np.abs(run(path, lean.waveforms) - lean.scores).max()
    assert difference <= TOLERANCE[scheme]
    assert (difference > 0) or scheme == "float32"


@pytest.mark.parametrize("name", ["yamnet", "yamnet-projection", "joint-none", "joint-affinity"])
def test_every_variant_can_be_exported(make_tagger, name):
    assert_agrees_with_keras(make_tagger(name))


def assert_agrees_with_keras(made) -> None:
    assert np.abs(run(made.bare, made.waveforms) - made.scores).max() <= 1e-4


def test_the_scales_of_plus_stay_out_of_its_projections_weights(make_tagger, params, backbone):
    """Within them they would leave nothing of the small ones in 4 bits."""
    made = make_tagger("plus")
    assert_agrees_with_keras(made)
    head = build_head(params.model("plus").network, len(LABELS), backbone)
    head.load_weights(made.folder / "head.weights.h5")
    kernel, _ = head.get_layer("projection").get_weights()
    model = read_flatbuffer(made.bare.read_bytes())
    data = [buffer.data for buffer in model.buffers if buffer.data is not None]
    (stored,) = (values for values in data if len(values) == kernel.nbytes)
    np.testing.assert_array_equal(stored.view(np.float32).reshape(kernel.shape[::-1]), kernel.T)


def test_smaller_kinds_make_smaller_files(lean):
    bare = lean.bare.read_bytes()
    kinds = ("float32", "float16", "weight_only_int8", "int4")
    sizes = [len(quantize(bare, MIXED[kind])) for kind in kinds]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes)


def test_two_conversions_give_the_same_bytes(lean, tmp_path):
    files = [
        write(lean.bare, tmp_path / name, "int4", MIXED["int4"])
        for name in ("a.tflite", "b.tflite")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_sharing_vectors_and_dropping_names_changes_size_and_nothing_else(lean, tmp_path):
    mix = MIXES["weight_only_int8"]
    raw = quantize(lean.bare.read_bytes(), mix)
    path = write(lean.bare, tmp_path / "x.tflite", "weight_only_int8", mix)
    assert path.stat().st_size < len(raw) - 100_000
    (tmp_path / "raw.tflite").write_bytes(raw)
    np.testing.assert_array_equal(
        run(path, lean.waveforms), run(tmp_path / "raw.tflite", lean.waveforms)
    )


def test_built_in_operations_only_one_input_one_output_no_classifier(shipped):
    model = read_flatbuffer(shipped.read_bytes())
    assert not any(code.customCode for code in model.operatorCodes)
    assert not any(
        max(code.builtinCode, code.deprecatedBuiltinCode) == tflite.BuiltinOperator.CUSTOM
        for code in model.operatorCodes
    )
    shapes = [tuple(tensor.shape) for tensor in model.subgraphs[0].tensors]
    assert not any(521 in shape for shape in shapes)


def test_tensor_data_are_aligned_as_the_schema_demands(shipped):
    content = shipped.read_bytes()
    model = tflite.Model.GetRootAs(content, 0)
    base = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    for number in range(model.BuffersLength()):
        data = model.Buffers(number).DataAsNumpy()
        if isinstance(data, np.ndarray) and len(data):
            assert (data.__array_interface__["data"][0] - base) % 16 == 0


def test_every_operation_with_weights_belongs_to_one_group(lean):
    content = lean.bare.read_bytes()
    assert groups_of(content) == list(GROUPS)
    model = read_flatbuffer(content)
    for graph in model.subgraphs:
        for operation in graph.operators:
            inputs = [graph.tensors[number] for number in operation.inputs if number >= 0]
            sizes = [model.buffers[tensor.buffer].data for tensor in inputs]
            if max((0 if data is None else len(data) for data in sizes), default=0) > 20_000:
                name = graph.tensors[operation.outputs[0]].name.decode()
                groups = [group for group, regex in GROUPS.items() if re.search(regex, name)]
                assert len(groups) == 1, (name, groups)


def test_a_variant_without_a_loop_can_be_all_integer(make_tagger):
    made = make_tagger("yamnet-projection")
    samples = [waveform[None] for waveform in made.waveforms]
    content = quantize(made.bare.read_bytes(), {".*": "static"}, samples)
    runtime = Runtime(content)
    scores = np.array([runtime(waveform) for waveform in made.waveforms])
    assert np.isfinite(scores).all()
    assert len(content) < 4_000_000


def test_a_crash_of_the_converter_is_reported_not_fatal():
    works = [partial(int, "1"), partial(os._exit, 3), partial(int, "x"), partial(int, "2")]
    fine, crashed, failed, fine_again = map(run_guarded, works)
    assert fine is fine_again is None
    assert crashed == "the converter crashed"
    assert failed.startswith("ValueError: invalid literal")


def test_the_archives_offsets_are_the_files_own(shipped):
    with zipfile.ZipFile(shipped) as archive:
        assert archive.testzip() is None
    assert shipped.read_bytes().rfind(b"PK\x05\x06") > shipped.stat().st_size - 100
    central = int.from_bytes(shipped.read_bytes()[-6:-2], "little")
    assert shipped.read_bytes()[central : central + 4] == b"PK\x01\x02"


def test_labels_and_card_are_read_with_a_zip_tool(shipped):
    with zipfile.ZipFile(shipped) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt").decode().splitlines() == list(LABELS)
        card = json.loads(archive.read("lean.json"))
    assert {"scheme", "variant", "dataset", "thresholds", "calibration", "hop_s"} <= set(card)
    assert len(card["thresholds"]) == len(LABELS)


def test_the_signature_names_the_tensors(shipped):
    interpreter = Interpreter(str(shipped))
    signature = interpreter.get_signature_runner("serving_default")
    scores = signature(waveform=np.zeros((1, 16_000), np.float32))["scores"]
    assert scores.shape == (1, len(LABELS))


def test_mediapipes_audio_classifier_finds_labels_and_input_format(make_tagger, tmp_path):
    """It takes models of one subgraph only: a variant without the wave encoder's loop."""
    from mediapipe.tasks.python import BaseOptions, audio
    from mediapipe.tasks.python.components.containers import AudioData

    made = make_tagger("yamnet-projection")
    path = write(made.bare, tmp_path / "x.tflite", "float32", {})
    options = audio.AudioClassifierOptions(
        base_options=BaseOptions(model_asset_path=str(path)), max_results=len(LABELS)
    )
    with audio.AudioClassifier.create_from_options(options) as classifier:
        data = AudioData.create_from_array(made.waveforms[0], 16_000)
        categories = classifier.classify(data)[0].classifications[0].categories
    scores = {category.category_name: category.score for category in categories}
    assert set(scores) == set(LABELS)
    np.testing.assert_allclose([scores[label] for label in LABELS], made.scores[0], atol=1e-4)


def test_what_is_not_a_waveform_model_is_refused(tmp_path):
    (tmp_path / "x.tflite").write_bytes(b"not a model at all")
    with pytest.raises(LeanError, match="not a TensorFlow Lite model"):
        Runtime(tmp_path / "x.tflite")
