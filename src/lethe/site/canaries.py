"""Objects of a self-test: made-up persons whose identifiers must not come through."""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from lethe.files import write_bytes
from lethe.identity.lookup import Assignment, lookup_table

KNOWN = "LETHE-CANARY"
"""PatientID of the canaries; only the table of the self-test knows it, the site's own does not."""
MARKS = ("CANARYNAME", "CANARYSTREET", "CANARYHOSPITAL", "CANARYDOCTOR", "CANARYNOTE", KNOWN, "19430517")
"""Values that no cleaned object may hold."""
_HELD: dict[str, dict[str, str]] = {
    "burned-in": {"BurnedInAnnotation": "YES"},
    "capture": {"SOPClassUID": SecondaryCaptureImageStorage},
}


def write_canaries(folder: Path) -> None:
    """Write the canaries and a lookup table that knows their patient.

    ``clean.dcm`` is an ordinary CT image whose identifiers must be gone after cleaning; the others must be
    held. At a site whose own table does not know the patient, all of them must be held.
    """
    (folder / "objects").mkdir(parents=True)
    for number, (name, change) in enumerate([("clean", {}), *_HELD.items()], start=1):
        _object(number, change).save_as(folder / "objects" / f"{name}.dcm", enforce_file_format=True)
    table = lookup_table({KNOWN: Assignment(prid="CA17", shift_days=3, salt="0" * 32)})
    write_bytes(folder / "lookup.properties", table.encode("latin-1"))


def _object(number: int, change: dict[str, str]) -> FileDataset:
    uid = f"2.25.7000{number}"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = change.get("SOPClassUID", CTImageStorage)  # type: ignore[assignment]
    meta.MediaStorageSOPInstanceUID = uid  # type: ignore[assignment]
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    values = {
        "SOPClassUID": CTImageStorage, "SOPInstanceUID": uid, "Modality": "CT",
        "StudyInstanceUID": "2.25.70000", "SeriesInstanceUID": "2.25.70009",
        "PatientID": KNOWN, "PatientName": "CANARYNAME^CANARYNAME", "PatientBirthDate": "19430517",
        "PatientSex": "F", "PatientAge": "083Y", "PatientAddress": "CANARYSTREET 1",
        "InstitutionName": "CANARYHOSPITAL", "ReferringPhysicianName": "CANARYDOCTOR",
        "PatientComments": "CANARYNOTE", "StudyDescription": "CANARYNOTE", "AccessionNumber": "CANARYNOTE",
        "StudyDate": "20260105", "SeriesDate": "20260105", "StudyTime": "101112", "StudyID": "CANARYNOTE",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "SeriesNumber": 2, "InstanceNumber": number,
        "Rows": 8, "Columns": 8, "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15,
        "PixelRepresentation": 0, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "PixelSpacing": [1, 1], "ImagePositionPatient": [0, 0, number], "SliceThickness": 1,
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "RescaleSlope": 1, "RescaleIntercept": -1024,
        "PixelData": bytes(128),
    } | change  # fmt: skip
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made
