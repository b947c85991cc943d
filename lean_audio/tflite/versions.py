"""Which runtime a .tflite needs, by the rules of TensorFlow Lite's own converter.

Each operator in a file has a version, and a runtime refuses versions that it does not know. The
quantizer changes the types of tensors and keeps the versions of the float model, so that an old
runtime would load the file and compute nonsense. The rules and the table hold for the operators
of our files. Their source is TensorFlow 2.20, tensorflow/compiler/mlir/lite/tools/versioning:
op_version.cc and runtime_version.cc.
"""

from collections.abc import Callable, Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as tflite

RUNTIME_METADATA = b"min_runtime_version"
METADATA_BYTES = 16  # of that entry
FLOAT32, FLOAT16 = tflite.TensorType.FLOAT32, tflite.TensorType.FLOAT16
INT4, INT8, INT16 = tflite.TensorType.INT4, tflite.TensorType.INT8, tflite.TensorType.INT16
_NAMES = {
    code: name for name, code in vars(tflite.BuiltinOperator).items() if not name.startswith("_")
}
# operator -> the first runtime that has version 1, 2, ...
RUNTIMES = {
    "ADD": "1.5.0 1.14.0 2.4.0",
    "AVERAGE_POOL_2D": "1.5.0 1.14.0 2.3.0",
    "BATCH_MATMUL": "2.3.0 2.3.0 2.4.0 2.5.0",
    "CONCATENATION": "1.5.0 1.14.0 2.3.0",
    "CONV_2D": "1.5.0 1.14.0 1.14.0 2.3.0 2.4.0 2.9.0 2.11.0",
    "DEPTHWISE_CONV_2D": "1.5.0 1.12.0 1.14.0 2.2.0 2.3.0 2.3.0 2.11.0",
    "DEQUANTIZE": "1.13.1 1.14.0 1.15.0 2.2.0 2.7.0 2.18.0",
    "DYNAMIC_UPDATE_SLICE": "2.9.0",
    "FULLY_CONNECTED": "1.5.0 1.10.0 1.14.0 1.14.0 2.0.0 2.1.0 2.3.0 2.3.0 2.3.0 2.11.0 2.15.0 "
    "2.17.0",
    "GATHER": "1.6.0 1.14.0 1.15.0 2.4.0",
    "IMAG": "2.5.0",
    "LESS": "1.14.0 1.14.0 2.13.0",
    "LOG": "1.14.0 2.15.0",
    "LOGISTIC": "1.14.0 1.14.0 2.3.0",
    "MAX_POOL_2D": "1.5.0 1.14.0 2.3.0",
    "MEAN": "1.6.0 1.14.0 2.4.0",
    "MUL": "1.5.0 1.14.0 1.15.0 2.3.0",
    "PACK": "1.11.0 1.14.0 2.3.0",
    "PAD": "1.5.0 1.14.0 2.4.0",
    "QUANTIZE": "1.14.0 1.15.0 2.7.0",
    "REAL": "2.5.0",
    "REDUCE_MAX": "1.11.0 1.14.0 2.5.0",
    "RESHAPE": "1.5.0",
    "REVERSE_V2": "1.14.0 2.2.0 2.5.0",
    "RFFT2D": "2.5.0",
    "SOFTMAX": "1.5.0 1.14.0 2.3.0",
    "SPLIT": "1.5.0 1.14.0 1.14.0 2.3.0",
    "SQRT": "1.10.0 2.21.0",
    "SQUARE": "1.12.0",
    "STRIDED_SLICE": "1.6.0 1.14.0",
    "SUB": "1.6.0 1.14.0 2.3.0 2.4.0 2.4.0",
    "SUM": "1.10.0 1.15.0",
    "TANH": "1.14.0 1.14.0 2.3.0",
    "TRANSPOSE": "1.6.0 1.14.0 1.15.0 2.3.0 2.4.0",
    "WHILE": "1.15.0",
}
# operators -> type of their first input -> version; 1 for other types
_BY_TYPE = {
    ("AVERAGE_POOL_2D", "MAX_POOL_2D", "CONCATENATION", "LOGISTIC", "MEAN", "REDUCE_MAX"): {
        INT8: 2,
        INT16: 3,
    },
    ("PACK", "PAD", "SOFTMAX", "TANH", "LESS", "ADD", "BATCH_MATMUL"): {INT8: 2, INT16: 3},
    ("STRIDED_SLICE", "SUM"): {INT8: 2},
    ("LOG", "SQRT"): {INT8: 2, INT16: 2},
    ("GATHER", "SPLIT"): {INT8: 2, INT16: 4},
    ("REVERSE_V2",): {INT8: 3},
    ("SUB", "TRANSPOSE"): {INT8: 2, INT16: 5},
}
_OF_TYPE = {name: versions for names, versions in _BY_TYPE.items() for name in names}


def set_versions(model: tflite.ModelT) -> str:
    """Raise each operator's version to what its types need, and state the least runtime.

    Versions are never lowered. An operator that is not in the table keeps its version, and the
    runtime that the converter stated still counts.

    Returns
    -------
    str
        The least version of TensorFlow Lite that runs the model, for example "2.17.0".
    """
    for graph in model.subgraphs:
        for operation in graph.operators:
            code = model.operatorCodes[operation.opcodeIndex]
            inputs = [graph.tensors[number] for number in operation.inputs if number >= 0]
            output = graph.tensors[operation.outputs[0]]
            code.version = max(code.version, _version(_name(code), inputs, output))
    runtimes = [_runtime(_name(code), code.version) for code in model.operatorCodes]
    least = max([*runtimes, stated_runtime(model)], key=_parts)
    _state(model, least)
    return least


def stated_runtime(model: tflite.ModelT) -> str:
    """Return the least runtime that the model itself states, "" if it states none."""
    for entry in model.metadata or []:
        if entry.name == RUNTIME_METADATA:
            return bytes(model.buffers[entry.buffer].data).rstrip(b"\0").decode()
    return ""


def _state(model: tflite.ModelT, runtime: str) -> None:
    data = np.frombuffer(runtime.encode().ljust(METADATA_BYTES, b"\0"), np.uint8)
    for entry in model.metadata or []:
        if entry.name == RUNTIME_METADATA:
            model.buffers[entry.buffer].data = data
            return
    model.buffers.append(tflite.BufferT(data=data))
    entry = tflite.MetadataT(name=RUNTIME_METADATA, buffer=len(model.buffers) - 1)
    model.metadata = [*(model.metadata or []), entry]


def _name(code: tflite.OperatorCodeT) -> str:
    return _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]


def _runtime(name: str, version: int) -> str:
    known = RUNTIMES.get(name, "").split()
    return known[version - 1] if version <= len(known) else ""


def _parts(runtime: str) -> list[int]:
    return [int(part) for part in runtime.split(".")] if runtime else []


def _version(name: str, inputs: Sequence[tflite.TensorT], output: tflite.TensorT) -> int:
    if name in _RULES:
        return _RULES[name](inputs, output)
    if not inputs:
        return 1
    first = inputs[1 if name == "SPLIT" else 0]  # its first input is the axis
    return _OF_TYPE.get(name, {}).get(first.type, 1)


def _weights(
    *, hybrid: int, per_channel: int, integer: int, wide: int, four_bit: int
) -> Callable[..., int]:
    """Return the rule of an operator with weights.

    hybrid: version for float activations and 8-bit weights, with one scale; per_channel: the same
    with a scale per channel; integer: 8-bit activations and weights; wide: 16-bit activations, for
    which the source has a rule that never applies; four_bit: 4-bit weights.
    """

    def version(inputs: Sequence[tflite.TensorT], output: tflite.TensorT) -> int:
        types = inputs[0].type, inputs[1].type, output.type
        if types == (FLOAT32, INT8, FLOAT32):
            return per_channel if _has_scale_per_channel(inputs[1]) else hybrid
        others = {(INT8, INT8, INT8): integer, (INT16, INT8, INT16): wide}
        return (others | {(INT8, INT4, INT8): four_bit}).get(types, 1)

    return version


def _dequantize(inputs: Sequence[tflite.TensorT], output: tflite.TensorT) -> int:
    if inputs[0].type == INT8:
        return 5 if _has_scale_per_channel(inputs[0]) else 2
    return {INT4: 6, INT16: 3, FLOAT16: 3}.get(inputs[0].type, 1)


def _quantize(inputs: Sequence[tflite.TensorT], output: tflite.TensorT) -> int:
    if _has_scale_per_channel(output):
        return 3
    return 2 if output.type == INT16 else 1


def _mul(inputs: Sequence[tflite.TensorT], output: tflite.TensorT) -> int:
    if inputs[0].type == INT16:
        return 4
    scales = [_scale(tensor) for tensor in (*inputs, output)]
    if all(scales) and scales[0] * scales[1] / scales[2] >= 1:
        return 3
    return 2 if inputs[0].type == INT8 else 1


def _scales(tensor: tflite.TensorT) -> Sequence[float]:
    found = tensor.quantization.scale if tensor.quantization is not None else None
    return () if found is None else found


def _scale(tensor: tflite.TensorT) -> float:
    return float(_scales(tensor)[0]) if len(_scales(tensor)) else 0.0


def _has_scale_per_channel(tensor: tflite.TensorT) -> bool:
    return len(_scales(tensor)) > 1


_RULES: dict[str, Callable[..., int]] = {
    "CONV_2D": _weights(hybrid=2, per_channel=5, integer=3, wide=4, four_bit=7),
    "DEPTHWISE_CONV_2D": _weights(hybrid=4, per_channel=6, integer=3, wide=5, four_bit=7),
    "FULLY_CONNECTED": _weights(hybrid=9, per_channel=12, integer=4, wide=7, four_bit=10),
    "DEQUANTIZE": _dequantize,
    "QUANTIZE": _quantize,
    "MUL": _mul,
}
