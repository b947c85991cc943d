"""Parts of recordings, read by seeking: memory does not grow with the length of the recording."""

from contextlib import nullcontext
from math import ceil
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile
import soxr

from lean_audio.audio.channels import check_scale, mix_down
from lean_audio.audio.decode import SAMPLE_RATE_HZ, Quality, refuse_length, to_int16
from lean_audio.audio.faults import BadClipError, faults_explained
from lean_audio.audio.opening import (
    ENCODER_PADDING_FRAMES,
    FLOAT_SUBTYPES,
    UNKNOWN_FRAMES,
    open_sound,
)
from lean_audio.screen import quiet_stderr

SPARE_S = 0.01  # read beyond a part, so that resampling does not end a sample too early


def count_samples(path: Path) -> int:
    """Return a recording's length in samples at 16 kHz, as its header states it.

    Raises BadClipError as read_clip does, and for a header that states no length.
    """
    with faults_explained(path), open_sound(path) as file:
        if file.frames >= UNKNOWN_FRAMES:
            raise BadClipError("unreadable: its header states no length")
        if not (samples := file.frames * SAMPLE_RATE_HZ // file.samplerate):
            raise BadClipError("empty: no samples at 16 kHz")
        return samples


class Recordings:
    """Reads parts of recordings and keeps the last recording open.

    To go forward in an MP3 is cheap. To open it and go there again is not.
    """

    def __init__(self, resampler: Quality, max_clip_s: float | None = None):
        self.resampler, self.max_clip_s = resampler, max_clip_s
        self._open: tuple[Path, soundfile.SoundFile] | None = None

    def __enter__(self) -> "Recordings":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._open:
            self._open[1].close()
        self._open = None

    def read(self, path: Path, start_s: float, end_s: float) -> np.ndarray:
        """Return a part of a recording, (samples,) int16 at 16 kHz.

        Raises BadClipError as read_clip does, and if the recording ends before the part does.
        """
        refuse_length(end_s - start_s, self.max_clip_s)
        with faults_explained(path):
            file = self._file(path)
            rate_hz = file.samplerate
            first, last = round(start_s * rate_hz), round(end_s * rate_hz)
            if last > file.frames + ENCODER_PADDING_FRAMES:
                raise BadClipError(f"the recording ends at {file.frames / rate_hz:.3f} s")
            frames = last - first + ceil(SPARE_S * rate_hz)
            with quiet_stderr() if file.format == "MP3" else nullcontext():
                file.seek(min(first, file.frames))
                channels = file.read(frames, dtype="float32", always_2d=True)  # (frames, channels)
        if len(channels) < last - first - ENCODER_PADDING_FRAMES:
            raise BadClipError(f"truncated: {len(channels)} of {last - first} frames")
        if not len(channels):
            raise BadClipError("empty: no samples")
        if file.subtype in FLOAT_SUBTYPES:
            check_scale(channels)
        waveform = mix_down(channels)
        if rate_hz != SAMPLE_RATE_HZ:
            waveform = soxr.resample(waveform, rate_hz, SAMPLE_RATE_HZ, quality=self.resampler)
        return to_int16(waveform[: round((end_s - start_s) * SAMPLE_RATE_HZ)])

    def _file(self, path: Path) -> soundfile.SoundFile:
        if not self._open or self._open[0] != path:
            self.__exit__(None, None, None)
            self._open = path, open_sound(path)
        return self._open[1]
