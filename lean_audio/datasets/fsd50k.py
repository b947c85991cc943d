"""FSD50K as published: eleven files, downloaded, verified, and read without unpacking.

Fonseca et al., "FSD50K: an open dataset of human-labeled sound events", Zenodo record 4060432.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from lean_audio.audio.split_zip import ArchiveRoot
from lean_audio.config.datasets import Fsd50k
from lean_audio.datasets.download import Downloader
from lean_audio.datasets.layout import Dataset, check_splits, read_layout
from lean_audio.datasets.manifest import Manifest, missing_bytes, read_manifest
from lean_audio.datasets.names import SPLITS
from lean_audio.errors import LeanError

# Disk taken by what is computed from FSD50K's 108.3 h, relative to the archives: 16-bit audio at
# 16 kHz, and features at the default hops (4,608 numbers per chunk: YAMNet's embedding and
# embed.layers). Twice each, as DVC's cache keeps a copy.
COMPUTED_FRACTIONS = {"audio": 2 * 0.51, "embeddings": 2 * 0.43}


def disk_needed(settings: Fsd50k, folder: Path) -> tuple[int, int]:
    """Return the bytes to download, and the disk these and what is computed from them will take.

    folder: of the archives; what is computed from them is stored beside it.
    """
    files = read_manifest(settings.manifest).files
    missing = missing_bytes(files, folder)
    later = sum(
        fraction
        for name, fraction in COMPUTED_FRACTIONS.items()
        if not (folder.parent / name).exists()
    )
    return missing, missing + round(later * sum(file.bytes for file in files))


def check_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise LeanError unless that much disk is free where `folder` is or will be."""
    existing = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < needed_bytes:
        raise LeanError(
            f"{folder}: {what} need {needed_bytes / 1e9:.3g} GB, "
            f"and {free_bytes / 1e9:.3g} GB are free"
        )


def download_archives(settings: Fsd50k, folder: Path) -> None:
    """Download and verify every file of the manifest.

    Raises LeanError before the first byte if the disk is too small, and when a file cannot be
    downloaded.
    """
    missing, needed = disk_needed(settings, folder)
    if missing:
        check_space(folder, needed, "FSD50K and what is computed from it")
    Downloader(settings.base_url, folder).download(read_manifest(settings.manifest).files)


def read_archives(settings: Fsd50k, folder: Path) -> Dataset:
    """Read the clips in the archives whose licence is one of settings.licences (empty: all).

    Raises LeanError when the number of clips or classes is not the published one.
    """
    manifest = read_manifest(settings.manifest)
    origin = f"FSD50K's archives, verified by the MD5s of {settings.manifest.name}"
    complete = read_layout(ArchiveRoot(folder), name="fsd50k", origin=origin, synthetic=False)
    _check_counts(complete, manifest, settings.manifest)
    if not settings.licences:
        return complete
    chosen = complete.clips[complete.clips["licence"].isin(settings.licences)]
    check_splits(chosen, f"FSD50K, clips licensed {' or '.join(settings.licences)}")
    return replace(
        complete,
        clips=chosen.reset_index(drop=True),
        origin=f"{origin}; {len(chosen)} of {len(complete.clips)} clips, chosen by licence",
        licence_filter=settings.licences,
    )


def _check_counts(dataset: Dataset, manifest: Manifest, path: Path) -> None:
    splits = dataset.clips["split"].value_counts()
    found = {split: int(splits[split]) for split in SPLITS} | {"classes": len(dataset.vocabulary)}
    expected = {**manifest.clips, "classes": manifest.classes}
    wrong = [f"{found[name]} {name}" for name in found if found[name] != expected.get(name)]
    if wrong:
        raise LeanError(
            f"FSD50K's ground truth has {', '.join(wrong)}; {path} says "
            f"{', '.join(f'{count} {name}' for name, count in expected.items())}"
        )
