"""The DICOM dump service: the header of one object as a table (contract section 3.8)."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydicom
from pydicom.datadict import dictionary_description, dictionary_has_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from lethe.archive.problem import Problem

COLUMNS = ("tag1", "tag2", "vr", "value", "desc")
_LONGEST = 255
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_SUMMARY = ("Modality", "StudyDate", "SeriesNumber", "SeriesDescription", "ProtocolName", "Rows", "Columns",
            "Manufacturer", "ManufacturerModelName", "SliceThickness", "PixelSpacing")  # fmt: skip


def dump(path: Path, fields: Sequence[str] = (), *, summary: bool = False) -> list[dict[str, str]]:
    """Return one row per element of a DICOM file, those within sequences under both tags.

    Parameters
    ----------
    path : Path
        The file; its pixels are not read.
    fields : sequence of str
        Keywords (``PatientName``) or tags (``00080060``); empty for all.
    summary : bool
        Only a short list of attributes, when `fields` is empty.

    Raises
    ------
    Problem
        400 for a field that is no attribute.
    """
    wanted = {_tag(field) for field in (fields or (_SUMMARY if summary else ()))}
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    elements = [*dataset.file_meta, *dataset]
    return [row for element in elements if not wanted or element.tag in wanted for row in _rows(element)]


def _rows(element: DataElement, outer: str = "") -> Iterator[dict[str, str]]:
    here = _shown(element.tag)
    row = {
        "tag1": outer or here,
        "tag2": here if outer else "",
        "vr": str(element.VR),
        "value": _value(element),
        "desc": _name(element),
    }
    yield row
    if element.VR == "SQ":
        for item in element.value or ():
            for inner in _inner(item):
                yield from _rows(inner, outer or here)


def _inner(item: Dataset) -> Iterator[DataElement]:
    yield from item


def _value(element: DataElement) -> str:
    if element.VR == "SQ" or element.VR in _BINARY or element.value is None:
        return ""
    text = "\\".join(map(str, element.value)) if element.VM > 1 else str(element.value)
    return html.escape(text[:_LONGEST])


def _name(element: DataElement) -> str:
    return dictionary_description(element.tag) if dictionary_has_tag(element.tag) else str(element.name)


def _shown(tag: BaseTag) -> str:
    return f"({tag.group:04X},{tag.element:04X})"


def _tag(field: str) -> int:
    tag = tag_for_keyword(field)
    if tag is not None:
        return tag
    try:
        return int(field.strip("()").replace(",", ""), 16)
    except ValueError as error:
        raise Problem(400, "A field is neither a DICOM keyword nor a tag.") from error
