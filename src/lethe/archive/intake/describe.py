"""Sessions and scans described from headers: type, date, scanner, sequence (contract section 4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset

from lethe.archive.intake.routing import first, text_of_keyword
from lethe.archive.types import table

DESCRIBED = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "SeriesDate",
    "SeriesTime",
    "AcquisitionTime",
    "SeriesNumber",
    "InstanceNumber",
    "SeriesDescription",
    "ProtocolName",
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "StationName",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "SliceThickness",
    "MagneticFieldStrength",
    "ReceiveCoilName",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "SequenceName",
    "ImageType",
    "ScanningSequence",
    "SequenceVariant",
    "ScanOptions",
    "MRAcquisitionType",
)

_DESCRIBING_OTHERS = frozenset({"SR", "PR", "KO", "SEG"})
_MR_TEXT = {
    "parameters/sequence": "SequenceName",
    "parameters/imageType": "ImageType",
    "parameters/scanSequence": "ScanningSequence",
    "parameters/seqVariant": "SequenceVariant",
    "parameters/scanOptions": "ScanOptions",
    "parameters/acqType": "MRAcquisitionType",
    "coil": "ReceiveCoilName",
    "fieldStrength": "MagneticFieldStrength",
}
_MR_NUMBERS = {
    "parameters/tr": "RepetitionTime",
    "parameters/te": "EchoTime",
    "parameters/ti": "InversionTime",
    "parameters/flip": "FlipAngle",
}


@dataclass(frozen=True, slots=True)
class ScanDescription:
    """One series as a scan: its id in the session, its type, its fields by path, its files."""

    scan_id: str
    xsi_type: str
    fields: Mapping[str, Any]
    series_uid: str


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A study as a session: its type, its fields by path and its scans."""

    xsi_type: str
    fields: Mapping[str, Any]
    scans: Sequence[ScanDescription] = field(default_factory=tuple)


def session_type(modalities: Iterable[str]) -> str:
    """Return the session type of the modalities of a study, in the order its series came.

    Positron emission decides over the scanner it is combined with; objects that describe others decide last.

    Examples
    --------
    >>> session_type(["SR", "CT"])
    'xnat:ctSessionData'
    >>> session_type(["CT", "PT"])
    'xnat:petSessionData'
    """
    return table.session_type(leading_modality(modalities))


def leading_modality(modalities: Iterable[str]) -> str:
    """Return the modality that names the session; see `session_type`."""
    seen = [modality for modality in modalities if modality]
    if "PT" in seen:
        return "PT"
    imaging = [modality for modality in seen if modality not in _DESCRIBING_OTHERS]
    return next(iter(imaging or seen), "OT")


def scan_id(header: Dataset, taken: Mapping[str, str]) -> str:
    """Return the id of the scan that the object's series is, or becomes, in a session.

    Parameters
    ----------
    header : Dataset
        Header of one object of the series.
    taken : mapping of str to str
        Scan id to series UID of the scans that exist.
    """
    series = str(header.SeriesInstanceUID)
    known = next((name for name, uid in taken.items() if uid == series), None)
    if known is not None:
        return known
    number = re.sub(r"[^A-Za-z0-9_-]", "_", text_of_keyword(header, "SeriesNumber"))
    wished = number or series.replace(".", "_")
    if wished not in taken:
        return wished
    modality = (re.sub(r"[^A-Z]", "", text_of_keyword(header, "Modality")) + "OT")[:2]
    counter = 1
    while f"{wished}-{modality}{counter}" in taken:
        counter += 1
    return f"{wished}-{modality}{counter}"


def describe_session(headers: Mapping[str, Dataset], frames: Mapping[str, int]) -> SessionDescription:
    """Describe a study.

    Parameters
    ----------
    headers : mapping of str to Dataset
        Scan id to the header of one object of that series.
    frames : mapping of str to int
        Scan id to the number of its images.
    """
    modalities = [text_of_keyword(header, "Modality") for header in headers.values()]
    leading = leading_modality(modalities)
    sources = [header for header in headers.values() if text_of_keyword(header, "Modality") == leading]
    source = next(iter(sources or headers.values()), Dataset())
    fields = {
        "date": _date(text_of_keyword(source, "StudyDate")),
        "time": _time(text_of_keyword(source, "StudyTime")),
        "UID": text_of_keyword(source, "StudyInstanceUID"),
        "study_id": text_of_keyword(source, "StudyID"),
        "modality": leading,
        "scanner": text_of_keyword(source, "StationName"),
        "scanner/manufacturer": text_of_keyword(source, "Manufacturer"),
        "scanner/model": text_of_keyword(source, "ManufacturerModelName"),
        "dcmAccessionNumber": text_of_keyword(source, "AccessionNumber"),
        "dcmPatientId": text_of_keyword(source, "PatientID"),
        "dcmPatientName": text_of_keyword(source, "PatientName"),
        "fieldStrength": text_of_keyword(source, "MagneticFieldStrength") if leading == "MR" else "",
    }
    scans = tuple(_describe_scan(name, header, frames.get(name, 0)) for name, header in headers.items())
    return SessionDescription(session_type(modalities), _present(fields), scans)


def frames_of(header: Dataset) -> int:
    """Return the number of images in one object."""
    text = text_of_keyword(header, "NumberOfFrames")
    return int(text) if text.isdigit() and int(text) > 0 else 1


def _describe_scan(name: str, header: Dataset, frames: int) -> ScanDescription:
    modality = text_of_keyword(header, "Modality")
    described = text_of_keyword(header, "SeriesDescription")
    fields: dict[str, Any] = {
        "type": described or text_of_keyword(header, "ProtocolName") or "unknown",
        "series_description": described,
        "UID": text_of_keyword(header, "SeriesInstanceUID"),
        "quality": "usable",
        "modality": modality,
        "frames": frames,
        "startTime": _time(
            first(text_of_keyword(header, word) for word in ("SeriesTime", "AcquisitionTime"))
        ),
        "scanner": text_of_keyword(header, "StationName"),
        "scanner/manufacturer": text_of_keyword(header, "Manufacturer"),
        "scanner/model": text_of_keyword(header, "ManufacturerModelName"),
    }
    if modality == "MR":
        fields |= _mr_fields(header)
    return ScanDescription(name, table.scan_type(modality), _present(fields), str(header.SeriesInstanceUID))


def _mr_fields(header: Dataset) -> dict[str, Any]:
    fields: dict[str, Any] = {path: text_of_keyword(header, word) for path, word in _MR_TEXT.items()}
    fields |= {path: _number(text_of_keyword(header, word)) for path, word in _MR_NUMBERS.items()}
    spacing = text_of_keyword(header, "PixelSpacing").split("\\")
    if len(spacing) == 2:
        # DICOM gives the distance of rows (y) before that of columns (x)
        fields["parameters/voxelRes/x"] = _number(spacing[1])
        fields["parameters/voxelRes/y"] = _number(spacing[0])
    fields["parameters/voxelRes/z"] = _number(text_of_keyword(header, "SliceThickness"))
    fields["parameters/matrix/x"] = text_of_keyword(header, "Columns")
    fields["parameters/matrix/y"] = text_of_keyword(header, "Rows")
    return fields


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {path: value for path, value in fields.items() if value not in ("", None)}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _date(text: str) -> str:
    found = re.match(r"^(\d{4})[.-]?(\d{2})[.-]?(\d{2})$", text)
    return "-".join(found.groups()) if found else ""


def _time(text: str) -> str:
    found = re.match(r"^(\d{2}):?(\d{2}):?(\d{2})", text)
    return ":".join(found.groups()) if found else ""
