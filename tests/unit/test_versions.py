"""Operator versions and the least runtime, against TensorFlow Lite's published rules."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tflite

from lean_audio.tflite.file import read_flatbuffer, write_flatbuffer
from lean_audio.tflite.versions import RUNTIMES, set_versions, stated_runtime

TYPES = tflite.TensorType


def model(operator: str, given: list[tuple[int, int]], out: tuple[int, int]) -> tflite.ModelT:
    """A model of one operator. given, out: (type, number of scales) of its tensors."""
    tensors = [
        tflite.TensorT(
            type=kind, quantization=tflite.QuantizationParametersT(scale=[0.5] * scales), buffer=0
        )
        for kind, scales in (*given, out)
    ]
    builtin = getattr(tflite.BuiltinOperator, operator)
    code = tflite.OperatorCodeT(builtinCode=builtin, deprecatedBuiltinCode=min(builtin, 127))
    operation = tflite.OperatorT(
        opcodeIndex=0, inputs=list(range(len(given))), outputs=[len(given)]
    )
    graph = tflite.SubGraphT(
        tensors=tensors, inputs=[0], outputs=[len(given)], operators=[operation]
    )
    return tflite.ModelT(
        operatorCodes=[code], subgraphs=[graph], buffers=[tflite.BufferT()], version=3
    )


FLOAT, INT8, INT16 = (TYPES.FLOAT32, 0), (TYPES.INT8, 1), (TYPES.INT16, 1)
CHANNELS = (TYPES.INT8, 4)
CASES = [
    ("FULLY_CONNECTED", [FLOAT, FLOAT, FLOAT], FLOAT, 1, "1.5.0"),
    ("FULLY_CONNECTED", [FLOAT, CHANNELS, FLOAT], FLOAT, 12, "2.17.0"),
    ("FULLY_CONNECTED", [FLOAT, INT8, FLOAT], FLOAT, 9, "2.3.0"),
    ("FULLY_CONNECTED", [INT8, INT8, INT8], INT8, 4, "1.14.0"),
    ("CONV_2D", [FLOAT, CHANNELS, FLOAT], FLOAT, 5, "2.4.0"),
    ("CONV_2D", [INT8, CHANNELS, INT8], INT8, 3, "1.14.0"),
    ("CONV_2D", [INT16, CHANNELS, INT16], INT16, 4, "2.3.0"),
    ("DEPTHWISE_CONV_2D", [FLOAT, CHANNELS, FLOAT], FLOAT, 6, "2.3.0"),
    ("DEQUANTIZE", [(TYPES.FLOAT16, 0)], FLOAT, 3, "1.15.0"),
    ("DEQUANTIZE", [INT8], FLOAT, 2, "1.14.0"),
    ("DEQUANTIZE", [CHANNELS], FLOAT, 5, "2.7.0"),
    ("DEQUANTIZE", [(TYPES.INT4, 4)], FLOAT, 6, "2.18.0"),
    ("QUANTIZE", [FLOAT], INT8, 1, "1.14.0"),
    ("QUANTIZE", [FLOAT], INT16, 2, "1.15.0"),
    ("MUL", [INT8, INT8], (TYPES.INT8, 1), 2, "1.14.0"),
    ("ADD", [INT16, INT16], INT16, 3, "2.4.0"),
    ("SQRT", [INT8], INT8, 2, "2.21.0"),
    ("SPLIT", [(TYPES.INT32, 0), INT8], INT8, 2, "1.14.0"),
    ("MEAN", [INT16, (TYPES.INT32, 0)], INT16, 3, "2.4.0"),
    ("RFFT2D", [FLOAT, (TYPES.INT32, 0)], (TYPES.COMPLEX64, 0), 1, "2.5.0"),
]


@pytest.mark.parametrize(("operator", "given", "out", "version", "runtime"), CASES)
def test_each_operator_gets_the_version_of_its_types(operator, given, out, version, runtime):
    made = model(operator, given, out)
    assert set_versions(made) == runtime
    again = read_flatbuffer(write_flatbuffer(made))
    assert again.operatorCodes[0].version == version
    assert stated_runtime(again) == runtime


def test_a_product_that_exceeds_its_scale_needs_a_later_version():
    made = model("MUL", [INT8, INT8], INT8)
    made.subgraphs[0].tensors[2].quantization.scale = [0.2]  # 0.5 * 0.5 / 0.2 >= 1
    set_versions(made)
    assert made.operatorCodes[0].version == 3


def test_versions_are_never_lowered_and_a_stated_runtime_counts():
    made = model("FULLY_CONNECTED", [FLOAT, FLOAT, FLOAT], FLOAT)
    made.operatorCodes[0].version = 5  # for keep_num_dims, an option and not a type
    made.buffers.append(tflite.BufferT(data=np.frombuffer(b"2.9.0".ljust(16, b"\0"), np.uint8)))
    made.metadata = [tflite.MetadataT(name=b"min_runtime_version", buffer=1)]
    assert set_versions(made) == "2.9.0"
    assert made.operatorCodes[0].version == 5
    assert len(made.metadata) == 1


def test_2_17_is_later_than_2_9():
    made = model("FULLY_CONNECTED", [FLOAT, CHANNELS, FLOAT], FLOAT)
    made.buffers.append(tflite.BufferT(data=np.frombuffer(b"2.9.0".ljust(16, b"\0"), np.uint8)))
    made.metadata = [tflite.MetadataT(name=b"min_runtime_version", buffer=1)]
    assert set_versions(made) == stated_runtime(made) == "2.17.0"


def test_an_operator_that_is_not_in_the_table_is_left_alone():
    made = model("EXP", [FLOAT], FLOAT)
    assert set_versions(made) == ""
    assert made.operatorCodes[0].version == 1


def test_every_row_of_the_table_is_an_operator():
    assert all(hasattr(tflite.BuiltinOperator, name) for name in RUNTIMES)
