"""Run a shipped model: score sound, name labels, find events. Everything it needs is in the file.

Layer 4 of 7: imports audio, tflite and errors, and never TensorFlow, Keras or pandas. What scores
mean belongs here; how they are printed belongs in cli.
"""

from lean_audio.tagger.events import Event, EventFinder, find_events
from lean_audio.tagger.labels import Choice, choose
from lean_audio.tagger.spans import Aggregate, Span, Summary, clip_scores, summarize
from lean_audio.tagger.tagger import Tagger

__all__ = [
    "Aggregate",
    "Choice",
    "Event",
    "EventFinder",
    "Span",
    "Summary",
    "Tagger",
    "choose",
    "clip_scores",
    "find_events",
    "summarize",
]
