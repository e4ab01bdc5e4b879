"""Look before the work starts: are all files of a folder whole DICOM objects?

Counts and positions only: a file's name or a value may identify a patient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from lethe.errors import Misconfigured, Refused

_SKIPPED_NAMES = frozenset({"DICOMDIR"})


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a folder holds.

    Parameters
    ----------
    objects : tuple of Path
        Whole DICOM objects, sorted by path.
    patients : tuple of str
        Distinct patient IDs in order of appearance: identifiers, never to be printed.
    others : int
        Files that are not DICOM and were left out.
    """

    objects: tuple[Path, ...]
    patients: tuple[str, ...]
    others: int


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(".") and path.name not in _SKIPPED_NAMES:
            yield path


def _expected_pixel_bytes(dataset: pydicom.Dataset) -> int:
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    bits = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("SamplesPerPixel", 1)) * frames
    return bits * int(dataset.BitsAllocated) // 8


def _is_whole(path: Path) -> bool | None:
    """Return None for what is not DICOM, False for a broken object, True for a whole one."""
    try:
        with path.open("rb") as stream:
            stream.seek(128)
            marked = stream.read(4) == b"DICM"
        dataset = pydicom.dcmread(path, defer_size=1024)
        if "SOPClassUID" not in dataset or "SOPInstanceUID" not in dataset:
            return False
        if "PixelData" not in dataset:
            return True
        syntax = UID(dataset.file_meta.get("TransferSyntaxUID", ""))
        if syntax.is_compressed:
            return len(dataset["PixelData"].value or b"") > 0
        return len(dataset["PixelData"].value or b"") >= _expected_pixel_bytes(dataset)
    except InvalidDicomError:
        return False if marked else None
    except (OSError, EOFError, ValueError, KeyError, AttributeError, TypeError, NotImplementedError):
        # pydicom reports a damaged file by whichever of these its parser meets first
        return False


def look(folder: Path, progress: Callable[[int, int], None] | None = None) -> Preflight:
    """Read every file below `folder` and refuse the whole when one object is damaged.

    Parameters
    ----------
    folder : Path
        Root of the tree.
    progress : callable, optional
        Called with (files done, files in all).

    Raises
    ------
    Misconfigured
        The folder does not exist.
    Refused
        It holds no DICOM object, or a damaged one (named by its position in path order).
    """
    if not folder.is_dir():
        raise Misconfigured("no-folder", "The DICOM folder does not exist.", remedy="Check the path.")
    paths = list(_files(folder))
    objects: list[Path] = []
    patients: dict[str, None] = {}
    others = 0
    for number, path in enumerate(paths, start=1):
        whole = _is_whole(path)
        if whole is None:
            others += 1
        elif not whole:
            raise Refused(
                "damaged-object",
                f"DICOM file number {number} of {len(paths)} (in path order) is damaged or cut short.",
                remedy="Export the study again, or take that file out if you know it is not needed.",
            )
        else:
            objects.append(path)
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["PatientID"])
            patients.setdefault(str(header.get("PatientID", "")).strip())
        if progress is not None:
            progress(number, len(paths))
    if not objects:
        raise Refused(
            "no-dicom",
            "The folder holds no DICOM object.",
            remedy="Name the folder that a study was exported to.",
        )
    if "" in patients:
        raise Refused(
            "no-patient-id",
            "At least one DICOM object has no patient ID, so it cannot be joined to a patient.",
            remedy="Take it out or complete it at the source.",
        )
    return Preflight(tuple(objects), tuple(patients), others)
