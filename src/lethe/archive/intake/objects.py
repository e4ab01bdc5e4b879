"""One DICOM object on its way in: its header, its neutral file name, and whether two files hold the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset, read_preamble

from lethe.archive.intake.describe import DESCRIBED
from lethe.errors import Refused

_CHUNK = 1 << 20
_ROUTED = (
    "SpecificCharacterSet",
    "PatientComments",
    "StudyComments",
    "AdditionalPatientHistory",
    "StudyDescription",
    "AccessionNumber",
    "PatientName",
    "PatientID",
)
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"


def read_header(path: Path, extra: Iterable[int] = ()) -> Dataset:
    """Read what routing and description need of a DICOM file; never its pixels.

    Parameters
    ----------
    path : Path
        A file in DICOM file format (preamble and file meta).
    extra : iterable of int
        Further tags that routing rules look at.

    Raises
    ------
    Refused
        ``unparsable`` if it is no DICOM object or lacks one of the three UIDs.
    """
    wanted = [*(tag_for_keyword(word) or 0 for word in (*_ROUTED, *DESCRIBED)), *extra]
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted)
        complete = header.file_meta.get("MediaStorageSOPClassUID") == MEDIA_DIRECTORY or (
            _is_uid(header.get("SOPInstanceUID"))
            and _is_uid(header.get("StudyInstanceUID"))
            and _is_uid(header.get("SeriesInstanceUID"))
        )
    except (InvalidDicomError, ValueError, KeyError, AttributeError, NotImplementedError, EOFError) as error:
        raise _unparsable() from error
    if not complete:
        raise _unparsable()
    return header


def is_media_directory(header: Dataset) -> bool:
    """Tell whether the object is the index of a disc (DICOMDIR), which is not stored."""
    return str(header.file_meta.get("MediaStorageSOPClassUID", "")) == MEDIA_DIRECTORY


def file_name(sop_instance_uid: str) -> str:
    """Return the neutral file name of an object: a function of its UID alone, so a UID has one place.

    Examples
    --------
    >>> file_name("1.2.3")
    'c47f5b18b8a430e698b9fe15e51f6119.dcm'
    """
    return hashlib.sha256(sop_instance_uid.encode()).hexdigest()[:32] + ".dcm"


def same_content(one: Path, other: Path) -> bool:
    """Tell whether two files hold the same object: same encoding and same bytes after the file meta."""
    with one.open("rb") as left, other.open("rb") as right:
        if _to_dataset(left) != _to_dataset(right):
            return False
        while True:
            chunk, twin = left.read(_CHUNK), right.read(_CHUNK)
            if chunk != twin:
                return False
            if not chunk:
                return True


def _to_dataset(stream: BinaryIO) -> str:
    """Move `stream` to the first byte after the file meta and return the transfer syntax."""
    read_preamble(stream, force=False)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    return str(meta.get("TransferSyntaxUID", ""))


def _is_uid(value: object) -> bool:
    text = str(value or "")
    return 0 < len(text) <= 128 and all(part.isdigit() for part in text.split("."))


def _unparsable() -> Refused:
    return Refused(
        "unparsable",
        "A file of the upload is not a DICOM object with its three UIDs.",
        remedy="Leave it out, or set Ignore-Unparsable=true.",
    )
