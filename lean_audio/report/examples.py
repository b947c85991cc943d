"""The example clips of the report: scores over time, drawn beside the spectrogram."""

import base64
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from lean_audio.report.inputs import Record, Source, existing, read_record, require

EXAMPLES = Source("examples", "variant attends frame_s clips")
CLIP = Source(
    "examples",
    "clip labels duration_s chunks tags attention spectrogram spectrogram_max_hz audio",
)
SHOWN = 6  # tags of a clip, and every true label besides
SPAN = 1000  # units of a drawing's width
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60)
TICKS = 7  # at most


def read_examples(examples_dir: Path) -> Record:
    """Read the clips with all that the templates draw; LeanError if something is missing."""
    path = examples_dir / "examples.json"
    found = read_record(path, EXAMPLES)
    for clip in found["clips"]:
        require(path, CLIP, clip)
    clips = [_drawn(clip, examples_dir, found["frame_s"]) for clip in found["clips"]]
    return {"variant": found["variant"], "attends": found["attends"], "clips": clips}


def _drawn(clip: Record, folder: Path, frame_s: float) -> Record:
    shown = [tag for rank, tag in enumerate(clip["tags"]) if tag["true"] or rank < SHOWN]
    edges = chunk_edges(clip["chunks"], clip["duration_s"])
    return {
        **clip,
        "image": _data_url(folder / clip["spectrogram"], "image/png"),
        "sound": _data_url(folder / clip["audio"], "audio/mpeg") if clip["audio"] else None,
        "ticks": time_ticks(clip["duration_s"]),
        "rows": [
            {**tag, "cells": _cells(tag["chunk_scores"], edges, clip["chunks"], clip["duration_s"])}
            for tag in shown
        ],
        "area": attention_area(clip["attention"] or [], frame_s / clip["duration_s"]),
        "peak": max(clip["attention"] or [0.0]),
        "best": clip["tags"][:3],
    }


def _data_url(path: Path, kind: str) -> str:
    content = base64.b64encode(existing(path, EXAMPLES).read_bytes()).decode()
    return f"data:{kind};base64,{content}"


def chunk_edges(chunks: Sequence[Record], duration_s: float) -> list[float]:
    """Return where each chunk's cell begins, and where the last one ends, in seconds.

    Chunks overlap but cells must not: an edge is halfway between the centres of two chunks.
    """
    middles = [(chunk["start_s"] + min(chunk["end_s"], duration_s)) / 2 for chunk in chunks]
    between = [(one + two) / 2 for one, two in pairwise(middles)]
    return [0.0, *between, *(min(chunk["end_s"], duration_s) for chunk in chunks[-1:])]


def _cells(
    scores: Sequence[float], edges: Sequence[float], chunks: Sequence[Record], duration_s: float
) -> list[dict[str, Any]]:
    """Return each chunk's score, its start and end in seconds, and its cell in SPAN units."""
    unit = SPAN / duration_s
    return [
        {"score": score, "start_s": chunk["start_s"], "end_s": chunk["end_s"]}
        | {"x": round(start * unit, 1), "width": round(max(end - start, 0) * unit, 1)}
        for score, (start, end), chunk in zip(scores, pairwise(edges), chunks, strict=True)
    ]


def time_ticks(duration_s: float) -> list[dict[str, Any]]:
    """Return round times from 0 on, at most TICKS, and their place in percent of the width."""
    step = next((step for step in STEPS_S if duration_s / step < TICKS), duration_s)
    count = int(duration_s / step + 1e-9) + 1
    return [
        {"text": f"{n * step:g}", "percent": round(100 * n * step / duration_s, 2)}
        for n in range(count)
    ]


def attention_area(weights: Sequence[float], frame_fraction: float) -> str:
    """Draw attention over time as a path in SPAN by 100 units; the highest frame reaches the top.

    frame_fraction: of the clip's length; the clip may end within its last frame.
    """
    if not weights:
        return ""
    top, ends = max(*weights, 1.0), [min(n * frame_fraction, 1) for n in range(1, len(weights) + 1)]
    steps = [
        f"V{100 - 100 * weight / top:.1f}H{SPAN * end:.1f}"
        for weight, end in zip(weights, ends, strict=True)
    ]
    return f"M0 100{''.join(steps)}V100Z"
