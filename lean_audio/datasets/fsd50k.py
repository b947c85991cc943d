"""FSD50K as published: eleven files, fetched and verified, read without unpacking.

Fonseca et al., "FSD50K: an open dataset of human-labeled sound events", Zenodo record 4060432.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from lean_audio.audio.split_zip import ArchiveRoot
from lean_audio.config.schema import Fsd50k
from lean_audio.datasets.download import Fetcher
from lean_audio.datasets.layout import SPLITS, Dataset, check_splits, read_layout
from lean_audio.datasets.manifest import missing_bytes, read_manifest
from lean_audio.errors import LeanError

# 108.3 h of clips at 16 kHz, 16 bit, and their features at the default hops (4,608 numbers a chunk:
# YAMNet's embedding and embed.layers), in shares of the archives; twice, as DVC's cache has a copy.
LATER_SHARES = {"audio": 2 * 0.51, "embeddings": 2 * 0.43}


def disk_needed(settings: Fsd50k, folder: Path) -> tuple[int, int]:
    """Bytes to fetch, and bytes of disk that they and what is still to be made of them will take.

    folder: of the archives; what is made of them comes to lie beside it.
    """
    files = read_manifest(settings.manifest)
    missing = missing_bytes(files, folder)
    made = [(folder.parent / name).exists() for name in LATER_SHARES]
    later = sum(share for share, done in zip(LATER_SHARES.values(), made, strict=True) if not done)
    return missing, missing + round(later * sum(file.bytes for file in files))


def check_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise LeanError unless so much is free where `folder` is or will be."""
    there = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free_bytes = shutil.disk_usage(there).free
    if free_bytes < needed_bytes:
        raise LeanError(
            f"{folder}: {what} need {needed_bytes / 1e9:.3g} GB, "
            f"and {free_bytes / 1e9:.3g} GB are free"
        )


def fetch_archives(settings: Fsd50k, folder: Path) -> None:
    """Bring every file of the manifest to `folder`, verified.

    Raises LeanError before the first byte where the disk is too small, and when a file cannot
    be had.
    """
    missing, needed = disk_needed(settings, folder)
    if missing:
        check_space(folder, needed, "FSD50K and what is made of it")
    Fetcher(
        settings.base_url,
        folder,
        settings.connections,
        settings.tries,
        settings.silence_s,
    ).fetch(read_manifest(settings.manifest))


def read_archives(settings: Fsd50k, folder: Path) -> Dataset:
    """The clips in the archives that have one of settings.licences (none named: all).

    Raises LeanError where the clips or classes are not as many as published.
    """
    origin = f"FSD50K's archives, verified by the MD5s of {settings.manifest.name}"
    whole = read_layout(ArchiveRoot(folder), name="fsd50k", origin=origin, synthetic=False)
    _check_counts(whole, settings)
    if not settings.licences:
        return whole
    chosen = whole.clips[whole.clips["licence"].isin(settings.licences)].reset_index(drop=True)
    check_splits(chosen["split"], f"FSD50K, clips licensed {' or '.join(settings.licences)}")
    origin += f"; {len(chosen)} of {len(whole.clips)} clips, chosen by licence"
    return replace(whole, clips=chosen, origin=origin, licence_filter=settings.licences)


def _check_counts(dataset: Dataset, settings: Fsd50k) -> None:
    splits = dataset.clips["split"].value_counts()
    found = {split: int(splits[split]) for split in SPLITS} | {"classes": len(dataset.vocabulary)}
    expected = {**settings.clips, "classes": settings.classes}
    wrong = [f"{found[name]} {name}" for name in found if found[name] != expected.get(name)]
    if wrong:
        raise LeanError(
            f"FSD50K's ground truth has {', '.join(wrong)} and should have "
            f"{', '.join(f'{count} {name}' for name, count in expected.items())} "
            "(datasets.fsd50k.clips and classes)"
        )
