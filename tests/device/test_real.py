"""The command line on real sounds with the real YAMNet gives Keras's scores."""

import keras
import numpy as np
import pandas as pd
import pytest
from command_line import lean_audio
from device_models import LABELS, write

from lean_audio.audio.chunking import CHUNK_SAMPLES, chunk_views
from lean_audio.audio.decode import read_clip, to_float
from lean_audio.backbones.logmel import LogMel
from lean_audio.backbones.weights import load_pretrained, prepare_weights
from lean_audio.config.schema import Yamnet
from lean_audio.device.export import export_tagger
from lean_audio.model import build_head


@pytest.mark.specialist
def test_fifty_evaluation_clips(
    params, backbone, yamnet_savedmodel, real_sounds, tmp_path, capsysbinary
):
    weights, head_weights, bare = (
        tmp_path / name for name in ("weights", "head.weights.h5", "bare.tflite")
    )
    source = Yamnet(source=str(yamnet_savedmodel), hub_url="")
    prepare_weights(backbone, source, synthetic=False, folder=weights)
    network = params.model("joint-bahdanau").network
    keras.utils.set_random_seed(3)
    head = build_head(network, len(LABELS), backbone)
    head.save_weights(head_weights)
    bare.write_bytes(export_tagger(network, len(LABELS), backbone, weights, head_weights))
    model = write(bare, tmp_path / "lean.tflite", "float32", {})
    names = pd.read_csv(real_sounds / "FSD50K.ground_truth" / "eval.csv", dtype=str)["fname"][:50]
    files = [next((real_sounds / "FSD50K.eval_audio").glob(f"{name}.*")) for name in names]
    settings = ("--model", model, "--top", "all", "--format", "csv")
    table = pd.DataFrame(lean_audio(capsysbinary, "predict", *files, *settings).rows)
    ours = table.pivot(index="file", columns="label", values="score").astype(float)
    clips = [chunks_of(read_clip(file, "HQ")) for file in files]
    waveform = keras.ops.convert_to_tensor(to_float(np.concatenate(clips)))
    extract, log_mel = load_pretrained(backbone, weights), LogMel()
    scores = head({"embedding": extract(log_mel(waveform)), "waveform": waveform})
    ends = np.cumsum([len(chunks) for chunks in clips])[:-1]
    for file, of_chunks in zip(files, np.split(scores.numpy(), ends), strict=True):
        exact = of_chunks.mean(axis=0)
        np.testing.assert_allclose(ours.loc[str(file), list(LABELS)], exact, atol=1e-4)


def chunks_of(samples: np.ndarray) -> np.ndarray:
    """(chunks, 16000) int16, cut out by hand."""
    views = chunk_views(len(samples), 8000, "repeat")
    return np.stack([np.resize(samples[start : start + n], CHUNK_SAMPLES) for start, n in views])
