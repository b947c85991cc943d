"""Which file is shipped, and why the others are not: decided on validation, size and time."""

from collections.abc import Mapping
from dataclasses import dataclass

from lean_audio.config.schema import Device

EQUALLY_FAST = 1.05  # times of the same file in two runs differ by about this factor


@dataclass(frozen=True)
class Candidate:
    """A file. drop: in mAP on validation, None if not defined; ms: median time of one chunk."""

    drop: float | None
    megabytes: float
    ms: float
    takes_waveform: bool = True


def choose(files: Mapping[str, Candidate], settings: Device) -> tuple[str, dict[str, str]]:
    """Choose the file to ship.

    Among the files within both limits it is the fastest or the smallest. Of files that are equally
    fast, it is the one with the least drop. If no file is within both limits, accuracy goes before
    size: it is the smallest within the largest drop. float32 is always within it.

    Parameters
    ----------
    files
        Name -> file; float32 must be among them.
    settings
        Limits and preference.

    Returns
    -------
    tuple
        Name of the file, and a reason for each file.
    """
    reasons = {name: _outside(file, settings) for name, file in files.items()}
    within = {name: files[name] for name, reason in reasons.items() if not reason}
    if within:
        shipped = _preferred(within, settings.prefer)
        won = f"shipped: the {settings.prefer} within both limits"
        reasons |= {
            name: _behind(file, files[shipped], settings.prefer) for name, file in within.items()
        }
    else:
        shipped = _smallest_accurate(files, settings.max_drop)
        won = "shipped: no file is within both limits; the smallest within the mAP drop"
    return shipped, reasons | {shipped: won}


def _outside(file: Candidate, settings: Device) -> str:
    """Return why a file is out of the question, "" if it is not."""
    if not file.takes_waveform:
        return "takes patches, not the waveform"
    if file.drop is None:
        return "no mAP on validation"
    if file.drop > settings.max_drop:
        return f"mAP drop {file.drop:.4f} on validation, allowed {settings.max_drop:g}"
    if file.megabytes > settings.max_mb:
        return f"{file.megabytes:.2f} MB, allowed {settings.max_mb:g}"
    return ""


def _preferred(files: Mapping[str, Candidate], prefer: str) -> str:
    if prefer == "smallest":
        return min(files, key=lambda name: (files[name].megabytes, name))
    limit = EQUALLY_FAST * min(file.ms for file in files.values())
    fast = [name for name, file in files.items() if file.ms <= limit]
    return min(fast, key=lambda name: (files[name].drop, name))


def _behind(file: Candidate, shipped: Candidate, prefer: str) -> str:
    if prefer == "smallest":
        return f"{file.megabytes - shipped.megabytes:.2f} MB larger"
    ratio = file.ms / shipped.ms
    return f"{ratio:.2f} times as long" if ratio > EQUALLY_FAST else "as fast, with a larger drop"


def _smallest_accurate(files: Mapping[str, Candidate], max_drop: float) -> str:
    accurate = [
        name
        for name, file in files.items()
        if file.takes_waveform and file.drop is not None and file.drop <= max_drop
    ]
    return min(accurate or ["float32"], key=lambda name: (files[name].megabytes, name))
