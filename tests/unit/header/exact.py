"""A DICOM file as JSON with exact text: what the recorded vectors hold in ``expected.json``.

Every text VR is the text in the file; padding at the end of a value is dropped; an empty value has no
``Value``; binary values are base64; FL is given to 7 digits; private elements of implicit VR files are UN.
"""

from __future__ import annotations

import base64
import struct
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement

_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_SINGLE = {"LT", "ST", "UT", "UR"}
_LOCAL = {"LO", "LT", "PN", "SH", "ST", "UC", "UT"}
_CODES = {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"}
_FIRST = {"US or SS": "US", "OB or OW": "OW", "US or OW": "US", "US or SS or OW": "US"}
_LEFT_OUT = {"00020000", "00020012", "00020013"}


def _value(vr: str, raw: bytes, little: bool, encodings: list[str]) -> dict[str, Any]:
    order = "<" if little else ">"
    if vr in _NUMBERS:
        count = len(raw) // struct.calcsize(_NUMBERS[vr])
        size = count * struct.calcsize(_NUMBERS[vr])
        numbers: list[Any] = list(struct.unpack(f"{order}{count}{_NUMBERS[vr]}", raw[:size]))
        if vr == "FL":
            numbers = [float(f"{number:.7g}") for number in numbers]
        return {"Value": numbers} if numbers else {}
    if vr == "AT":
        words = struct.unpack(f"{order}{len(raw) // 2}H", raw)
        tags = [f"{a:04X}{b:04X}" for a, b in zip(words[::2], words[1::2], strict=False)]
        return {"Value": tags} if words else {}
    if vr not in _LOCAL | _SINGLE | _CODES:
        return {"InlineBinary": base64.b64encode(raw).decode()} if raw else {}
    text = decode_bytes(raw, encodings if vr in _LOCAL else ["latin-1"], set()).rstrip("\0 ")
    if not text:
        return {}
    parts = [text] if vr in _SINGLE else text.split("\\")
    if vr != "PN":
        return {"Value": parts}
    names = ("Alphabetic", "Ideographic", "Phonetic")
    return {
        "Value": [
            {key: group for key, group in zip(names, part.split("="), strict=False) if group} or None
            for part in parts
        ]
    }


def _encodings(dataset: pydicom.Dataset) -> list[str] | None:
    element = dataset.get_item(0x00080005) if 0x00080005 in dataset else None
    if element is None:
        return None
    value = element.value
    if not isinstance(value, bytes):
        value = "\\".join([value] if isinstance(value, str) else list(value or [])).encode()
    try:
        return convert_encodings([term.strip() for term in value.decode("latin-1").rstrip("\0 ").split("\\")])
    except LookupError:
        return None


def _vr_of(tag: pydicom.tag.BaseTag) -> str:
    try:
        if tag.is_private:
            return "UN" if tag.element > 0xFF else "LO"
        vr = dictionary_VR(tag)
    except KeyError:
        return "UL" if tag.element == 0 else "UN"
    return _FIRST.get(vr, vr)


def dataset_json(dataset: pydicom.Dataset, encodings: list[str] | None = None) -> dict[str, Any]:
    """Return a dataset as JSON; items without a character set take the one around them."""
    encodings = _encodings(dataset) or encodings or ["latin-1"]
    out: dict[str, Any] = {}
    for tag, element in [(tag, dataset.get_item(tag)) for tag in sorted(dataset.keys())]:
        key = f"{int(tag):08X}"
        if isinstance(element, RawDataElement):
            vr = element.VR or _vr_of(tag)
            if vr != "SQ":
                raw = element.value or b""
                out[key] = {"vr": vr, **_value(vr, raw, element.is_little_endian, encodings)}
                continue
            element = dataset[tag]
        if element.VR == "SQ":
            items = [dataset_json(item, encodings) for item in element.value]
            out[key] = {"vr": "SQ", **({"Value": items} if items else {})}
            continue
        out[key] = {"vr": element.VR, **_read_value(element, encodings)}
    return out


def _read_value(element: Any, encodings: list[str]) -> dict[str, Any]:
    """Return the value of an element that pydicom has already turned into objects."""
    value = element.value
    many = hasattr(value, "__iter__") and not isinstance(value, str | bytes)
    if element.VR in _NUMBERS:
        numbers = [] if value is None else list(value) if many else [value]
        return {"Value": numbers} if numbers else {}
    if not isinstance(value, bytes):
        value = ("" if value is None else "\\".join(map(str, value)) if many else str(value)).encode()
    return _value(element.VR, value, True, encodings)


def file_json(path: Path | BinaryIO) -> dict[str, Any]:
    """Return file meta and dataset of a file as JSON."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, force=True)
        meta = {key: value for key, value in dataset_json(dataset.file_meta).items() if key not in _LEFT_OUT}
        return {"file_meta": meta, "dataset": dataset_json(dataset)}
