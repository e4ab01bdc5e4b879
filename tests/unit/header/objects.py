"""Small DICOM objects for the header tests, written with pydicom."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from lethe.header import Anonymizer, HeaderOutcome, LookupTable, Script
from lethe.header.script import read_script
from lethe.header.view import View

SALT = "00112233445566778899aabbccddeeff"
TABLE = LookupTable({"prid/PAT001": "A1B2", "shift/PAT001": "-12", "salt/PAT001": SALT})


def ct(**attributes: Any) -> Dataset:
    """Return a small CT slice of patient PAT001 with further attributes by keyword."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = "1.2.3.4.5"
    dataset.StudyInstanceUID = "1.2.3.4"
    dataset.SeriesInstanceUID = "1.2.3.4.1"
    dataset.Modality = "CT"
    dataset.PatientID = "PAT001"
    dataset.PatientName = "SMITH^John"
    dataset.StudyDate = "20210314"
    dataset.StudyTime = "101112"
    dataset.Rows, dataset.Columns = 2, 2
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    if "PixelData" not in dataset:
        dataset.add_new(0x7FE00010, "OW", bytes(8))
    return dataset


def to_bytes(dataset: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """Return a dataset as the bytes of a DICOM file."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "1.2")
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
    buffer = BytesIO()
    FileDataset(None, dataset, file_meta=meta, preamble=b"\0" * 128).save_as(
        buffer, enforce_file_format=False, little_endian=True, implicit_vr=syntax.is_implicit_VR
    )
    data = buffer.getvalue()
    return data if data[128:132] == b"DICM" else b"\0" * 128 + b"DICM" + data


def write(path: Path, dataset: Dataset) -> Path:
    """Write a dataset as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_bytes(dataset))
    return path


def rules(*lines: str, parameters: str = "") -> Script:
    """Compile element rules given as ``ggggeeee text``, `unspecifiedelements` being off."""
    body = "".join(
        f'<e en="T" t="{line[:8]}" n="">{line[9:].replace("&", "&amp;").replace("<", "&lt;")}</e>'
        for line in lines
    )
    return read_script(f"<script>{parameters}{body}</script>")


def clean(
    script: Script, data: bytes, table: LookupTable | None = TABLE, **options: Any
) -> bytes | HeaderOutcome:
    """Apply a script to the bytes of an object."""
    outcome = Anonymizer(script, table, **options).apply(View([data]))
    return outcome if isinstance(outcome, HeaderOutcome) else b"".join(outcome.chunks())


def code(outcome: bytes | HeaderOutcome) -> str:
    """Return the outcome's code, ``"OK"`` for a cleaned object."""
    return "OK" if isinstance(outcome, bytes) else outcome.code
