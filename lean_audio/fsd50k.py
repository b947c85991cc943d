"""FSD50K as published: eleven files, fetched and verified, read without unpacking.

Fonseca et al., "FSD50K: an open dataset of human-labeled sound events", Zenodo record 4060432.
"""

from dataclasses import replace
from pathlib import Path
from threading import Event

from lean_audio.archives import ArchiveRoot
from lean_audio.datasets import SPLITS, Dataset, check_splits, read_layout
from lean_audio.errors import LeanError
from lean_audio.fetch import Fetcher, check_space, missing_bytes, read_manifest
from lean_audio.sections import Fsd50k

# Of 108.3 h of clips at 16 kHz, 16 bit, and of embeddings at the default hops, in shares of the
# archives; twice, for DVC's cache has a copy of what the stages write.
LATER_SHARE = 2 * (0.51 + 0.10)


def disk_needed(settings: Fsd50k, folder: Path) -> tuple[int, int]:
    """Bytes to fetch, and bytes of disk that they and all that is made of them will take."""
    files = read_manifest(settings.manifest)
    missing = missing_bytes(files, folder)
    return missing, missing + round(LATER_SHARE * sum(file.bytes for file in files))


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
        Event(),
    ).fetch(read_manifest(settings.manifest))


def read_archives(settings: Fsd50k, folder: Path) -> Dataset:
    """The clips in the archives that have one of settings.licences (none named: all).

    Raises LeanError where the clips or classes are not as many as published.
    """
    origin = f"FSD50K's archives, verified, from {settings.base_url}"
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
