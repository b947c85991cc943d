"""Quantize the float32 .tflite with ai-edge-quantizer.

A mix maps groups of weights to the kind of arithmetic and storage that they get; its first entry
applies to all groups that the others do not name. Weights are quantized per channel,
symmetrically.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
from ai_edge_quantizer.qtyping import (
    ComputePrecision,
    OpQuantizationConfig,
    TensorDataType,
    TensorQuantizationConfig,
    TFLOperationName,
)
from ai_edge_quantizer.quantizer import AlgorithmName, Quantizer

from lean_audio.config.schema import Scheme
from lean_audio.screen import quiet_stderr
from lean_audio.tflite.file import input_name, operation_names

EVERYTHING = ".*"
# Name in the sensitivity table -> regular expression for the names of the group's operations. The
# converter may prefix an operation's name with those of the layers before it: the last one counts.
GROUPS = {
    "log-mel": "log_mel",
    "stem and depthwise": "stem|depthwise",
    "pointwise 1-5": "pointwise_[1-5]_",
    **{f"pointwise {number}": f"pointwise_{number}_" for number in range(6, 14)},
    "projection": "^(?!.*(attention|scores)).*projection",
    "encoder 1, input": "encoder_1[^/]*/(?!while)",
    "encoder 1, recurrent": "encoder_1[^/]*/while",
    "encoder 2, input": "encoder_2[^/]*/(?!while)",
    "encoder 2, recurrent": "encoder_2[^/]*/while",
    "attention": "^(?!.*scores).*attention",
    "scores": "scores",
}
Mix = dict[str, str]
Samples = Sequence[np.ndarray]
# A depthwise kernel has 9 weights per channel. With a scale per channel, 8 bits take no less space
# than 16, and rounding these kernels causes three quarters of the score error of 8-bit weights
# (measured on the dataset `folder` of metrics/).
BASE: Mix = {EVERYTHING: "int8", "stem and depthwise": "float16"}
PATCH_SCHEMES: tuple[Scheme, ...] = ("patch_int16",)  # of files that take the log-mel patch
MIXES: dict[Scheme, Mix] = {
    "float32": {},
    "float16": {EVERYTHING: "float16"},
    "dynamic_int8": {EVERYTHING: "dynamic"},
    "weight_only_int8": BASE,
    "full_int8": {EVERYTHING: "static"},
    "patch_int16": {EVERYTHING: "static16"},
}


def quantize(content: bytes, mix: Mix, calibration: Samples = ()) -> bytes:
    """Quantize a float32 .tflite.

    Parameters
    ----------
    content
        The .tflite.
    mix
        Group -> kind; an empty mix returns the model unchanged.
    calibration
        Inputs, with the batch axis, from which the kinds `static` and `static16` learn the range of
        each activation.
    """
    if not mix:
        return content
    with quiet_stderr():
        return _quantize(Quantizer(content), mix, calibration, input_name(content))


def needs_calibration(mix: Mix) -> bool:
    """Return whether a mix has a kind that computes in integers throughout."""
    return not {"static", "static16"}.isdisjoint(mix.values())


def _quantize(quantizer: Quantizer, mix: Mix, calibration: Samples, given: str) -> bytes:
    for group, kind in mix.items():
        _ADD[kind](quantizer, GROUPS.get(group, group), TFLOperationName.ALL_SUPPORTED)
    ranges = None
    if quantizer.need_calibration:
        samples = [{given: sample} for sample in calibration]
        ranges = quantizer.calibrate({"serving_default": samples}, num_threads=1)
        # it averages the extremes of the samples; what is given to the model must not be clipped
        ends = {"min": np.min(calibration), "max": np.max(calibration)}
        ranges[given] |= {name: np.full_like(ranges[given][name], v) for name, v in ends.items()}
    result = quantizer.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def groups_of(content: bytes) -> list[str]:
    """Return the groups of which the model has operations, in the order of GROUPS."""
    names = operation_names(content)
    return [group for group, regex in GROUPS.items() if any(re.search(regex, n) for n in names)]


def _float16(quantizer: Quantizer, regex: str, operations: TFLOperationName) -> None:
    weights = TensorQuantizationConfig(num_bits=16, dtype=TensorDataType.FLOAT)
    settings = OpQuantizationConfig(
        weight_tensor_config=weights,
        compute_precision=ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    quantizer.update_quantization_recipe(regex, operations, settings, AlgorithmName.FLOAT_CASTING)


def _float32(quantizer: Quantizer, regex: str, operations: TFLOperationName) -> None:
    quantizer.update_quantization_recipe(regex, operations, algorithm_key=AlgorithmName.NO_QUANTIZE)


def _int4(quantizer: Quantizer, regex: str, operations: TFLOperationName) -> None:
    quantizer.add_weight_only_config(regex, operations, 4, algorithm_key=AlgorithmName.OCTAV)


def _static(quantizer: Quantizer, regex: str, operations: TFLOperationName) -> None:
    """Compute in integers throughout, except for the waveform and the scores."""
    quantizer.add_static_config(regex, operations, 8, 8)
    for end in (TFLOperationName.INPUT, TFLOperationName.OUTPUT):
        _float32(quantizer, EVERYTHING, end)


def _static16(quantizer: Quantizer, regex: str, operations: TFLOperationName) -> None:
    """Compute in integers throughout, ends included: 16-bit activations and 8-bit weights."""
    quantizer.add_static_config(regex, operations, 16, 8)


_ADD: dict[str, Callable[[Quantizer, str, TFLOperationName], None]] = {
    "float32": _float32,
    "float16": _float16,
    "int8": lambda quantizer, *where: quantizer.add_weight_only_config(*where, 8),
    "int4": _int4,
    "dynamic": lambda quantizer, *where: quantizer.add_dynamic_config(*where, 8),
    "static": _static,
    "static16": _static16,
}
