"""Read and write .tflite files, compactly and with the metadata that other tools look for.

The flatbuffer holds a ModelMetadata under TFLITE_METADATA (labels, input format), which MediaPipe
and Android Studio read. The files that it names follow the flatbuffer as a zip archive.
"""

import hashlib
import io
import zipfile
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tflite

from lean_audio.screen import quiet_stderr
from lean_audio.tflite.card import CHECKSUM_FILE
from lean_audio.tflite.versions import set_versions

LABELS_FILE = "labels.txt"
METADATA_NAME = b"TFLITE_METADATA"
PARSER_VERSION = "1.3.0"  # of the metadata schema: the first with audio properties
BUFFER_ALIGNMENT = 16  # bytes, which the schema requires of tensor data
EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip entry must have a time; the same one on every run
INPUT, OUTPUT = "waveform", "scores"


class SharingBuilder(flatbuffers.Builder):
    """Writes equal vectors once.

    Each weight quantized per channel has a vector of zero points, all of them 0, of 8 bytes each.
    They are written once per length instead of once per tensor, which saves 0.07 to 0.11 MB.
    """

    # That is little, but it decides whether LEAN's 8-bit files stay within the size that the paper
    # reports, 4.5 MB: on the demo they are 4.48 to 4.50 MiB with it, 4.57 to 4.58 MiB without.

    def __init__(self):
        super().__init__(1 << 20)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:  # noqa: N802
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]

    def StartVector(self, elemSize, numElems, alignment):  # noqa: N802, N803
        if elemSize == 1:
            alignment = BUFFER_ALIGNMENT
        return super().StartVector(elemSize, numElems, alignment)


def read_flatbuffer(content: bytes) -> tflite.ModelT:
    """Unpack a .tflite; tensor data stored behind the flatbuffer are moved into the model."""
    model = tflite.ModelT.InitFromObj(tflite.Model.GetRootAs(content, 0))
    for buffer in model.buffers:
        if buffer.offset > 1:
            stop = buffer.offset + buffer.size
            buffer.data = np.frombuffer(content[buffer.offset : stop], np.uint8)
            buffer.offset = buffer.size = 0
    return model


def write_flatbuffer(model: tflite.ModelT) -> bytes:
    """Pack a model into a .tflite."""
    builder = SharingBuilder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def input_name(content: bytes) -> str:
    """Return the name of the model's input."""
    main = read_flatbuffer(content).subgraphs[0]
    return main.tensors[main.inputs[0]].name.decode()


def operation_names(content: bytes) -> list[str]:
    """Return the name of each operation's first output, in all subgraphs."""
    return [
        graph.tensors[operation.outputs[0]].name.decode()
        for graph in read_flatbuffer(content).subgraphs
        for operation in graph.operators
    ]


def with_named_ends(content: bytes, name: str = INPUT) -> bytes:
    """Name the model's input and output, and add a signature for them."""
    model = read_flatbuffer(content)
    main = model.subgraphs[0]
    ends = ((name, main.inputs[0]), (OUTPUT, main.outputs[0]))
    for end, tensor in ends:
        main.tensors[tensor].name = end
    inputs, outputs = ([tflite.TensorMapT(end, tensor)] for end, tensor in ends)
    model.signatureDefs = [tflite.SignatureDefT(inputs, outputs, "serving_default", 0)]
    return write_flatbuffer(model)


def finish(
    content: bytes, files: dict[str, str], *, name: str, description: str, sample_rate_hz: int
) -> bytes:
    """Add metadata and files to a model, correct its versions, and drop its inner tensors' names.

    Parameters
    ----------
    content
        The .tflite.
    files
        Name -> text of each file to add; labels.txt, one label per line, must be among them.
    name, description
        Of the model, for tools that show them.
    sample_rate_hz
        Of the sound that it takes, if it takes the waveform.
    """
    model = read_flatbuffer(content)
    set_versions(model)
    _drop_names(model)
    main = model.subgraphs[0]
    given = _given(main.tensors[main.inputs[0]].name.decode(), sample_rate_hz)
    metadata = _metadata(name, description, given, list(files))
    model.buffers.append(_buffer(metadata))
    entry = tflite.MetadataT(name=METADATA_NAME, buffer=len(model.buffers) - 1)
    model.metadata = [*(model.metadata or []), entry]
    return _with_archive(write_flatbuffer(model), files)


def _drop_names(model: tflite.ModelT) -> None:
    main = model.subgraphs[0]
    for graph in model.subgraphs:
        ends = {*graph.inputs, *graph.outputs} if graph is main else set()
        for number, tensor in enumerate(graph.tensors):
            if number not in ends:
                tensor.name = None


def _buffer(content: bytes) -> tflite.BufferT:
    return tflite.BufferT(data=np.frombuffer(content, np.uint8))


def _schema():
    with quiet_stderr():  # takes seconds: MediaPipe imports TensorFlow
        from mediapipe.tasks.metadata import metadata_schema_py_generated as schema
    return schema


def _given(name: str, sample_rate_hz: int) -> Any:
    """Describe the input: the waveform, or a patch."""
    schema = _schema()
    if name == INPUT:
        content = schema.ContentT(
            schema.ContentProperties.AudioProperties,
            schema.AudioPropertiesT(sampleRate=sample_rate_hz, channels=1),
        )
        return schema.TensorMetadataT(
            name=name, description="1 s of mono sound, samples in [-1, 1)", content=content
        )
    content = schema.ContentT(
        schema.ContentProperties.FeatureProperties, schema.FeaturePropertiesT()
    )
    return schema.TensorMetadataT(
        name=name, description="quantized log-mel patch of 1 s of sound", content=content
    )


def _metadata(name: str, description: str, given: Any, files: list[str]) -> bytes:
    schema = _schema()
    labels = schema.AssociatedFileT(
        LABELS_FILE, "One label per line", schema.AssociatedFileType.TENSOR_AXIS_LABELS
    )
    scores = schema.TensorMetadataT(
        name=OUTPUT,
        description="independent scores in [0, 1], one per label",
        content=schema.ContentT(
            schema.ContentProperties.FeatureProperties, schema.FeaturePropertiesT()
        ),
        associatedFiles=[labels],
    )
    others = [
        schema.AssociatedFileT(file, "Everything else", schema.AssociatedFileType.DESCRIPTIONS)
        for file in files
        if file != LABELS_FILE
    ]
    model = schema.ModelMetadataT(
        name=name,
        description=description,
        license="Apache-2.0; see lean.json",
        subgraphMetadata=[
            schema.SubGraphMetadataT(inputTensorMetadata=[given], outputTensorMetadata=[scores])
        ],
        associatedFiles=others,
        minParserVersion=PARSER_VERSION,
    )
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"M001")
    return bytes(builder.Output())


def _with_archive(content: bytes, files: dict[str, str]) -> bytes:
    packed = io.BytesIO(content)
    checksum = {CHECKSUM_FILE: hashlib.sha256(content).hexdigest() + "\n"}
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (files | checksum).items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), text)
    return packed.getvalue()
