"""Look into an input mount, which is the archive's own folder of a resource."""

from __future__ import annotations

from collections.abc import Sized
from pathlib import Path

from lethe.errors import Refused


def resource_files(folder: Path) -> list[Path]:
    """Return the files of a mounted resource, sorted, without the archive's catalogue and hidden files.

    Parameters
    ----------
    folder : Path
        The input mount. XNAT keeps a ``*_catalog.xml`` beside the files of a resource.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith("_catalog.xml") and not path.name.startswith(".")
    )


def counted(things: Sized, noun: str) -> str:
    """Return how many `things` there are, for a progress line."""
    return f"{len(things)} {noun}" if len(things) == 1 else f"{len(things)} {noun}s"


def megabytes(files: list[Path]) -> str:
    """Return the size of `files` for a progress line."""
    return f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB"


def dicom_files(folder: Path) -> list[Path]:
    """Return the files of a DICOM resource.

    Raises
    ------
    Refused
        There is none.
    """
    files = resource_files(folder)
    if not files:
        raise Refused(
            "no-dicom", "The input holds no DICOM object.", remedy="Launch on a scan with a DICOM resource."
        )
    return files
