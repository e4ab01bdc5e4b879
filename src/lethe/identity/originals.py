"""Read original identifiers from a list, a column of a table, or the headers of a DICOM folder.

They come from files and never from a command line, where every user of the machine could read them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from lethe.errors import Misconfigured, Refused


def read_originals(source: Path, column: str = "patient_id") -> list[str]:
    """Return the distinct identifiers of `source`, in the order of their first appearance.

    Parameters
    ----------
    source : Path
        A folder of DICOM objects (PatientID of each), a table (``.csv``, ``.tsv``; the named column) or
        any other file as a list, one identifier a line; UTF-8.
    column : str
        Column of the table.

    Raises
    ------
    Misconfigured
        The source does not exist.
    Refused
        No identifier is in it, the column is not there, or the text is not UTF-8.
    """
    if source.is_dir():
        found = list(_dicom(source))
    elif source.is_file():
        found = (
            _table(source, column)
            if source.suffix.lower() in {".csv", ".tsv"}
            else _text(source).splitlines()
        )
    else:
        raise Misconfigured("no-originals", "The file or folder of original identifiers does not exist.")
    named = [name for text in found if (name := text.strip())]
    if not named:
        raise Refused("no-originals", "No original identifier was found.")
    return list(dict.fromkeys(named))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(
            "encoding", "The file of identifiers is not UTF-8.", remedy="Save it as UTF-8."
        ) from None


def _table(path: Path, column: str) -> list[str]:
    text = _text(path)
    header = text.split("\n", 1)[0]
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    if column not in (rows.fieldnames or []):
        raise Refused("patient-column", f"The table has no column {column!r}.", remedy="Name it: --column.")
    return [row[column] or "" for row in rows]


def _dicom(folder: Path) -> Iterator[str]:
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["PatientID"])
        except InvalidDicomError:
            continue  # a folder from a CD also holds viewers and indexes
        yield str(dataset.get("PatientID", "") or "")
