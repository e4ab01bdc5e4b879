"""Element names and value representations as the scripts' dictionary knows them.

CTP reads names with the dictionary of dcm4che 1.x, which is not the keyword list of PS3.6. The
difference is data (``data/element-names.json``); everything else is the packaged PS3.6 dictionary.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword

_FIRST = {"US or SS": "US", "OB or OW": "OW", "US or OW": "US", "US or SS or OW": "US"}


@cache
def _differences() -> tuple[dict[str, int], frozenset[str], frozenset[int], frozenset[int]]:
    data = json.loads((resources.files("lethe.header") / "data" / "element-names.json").read_bytes())
    return (
        {name: int(tag, 16) for name, tag in data["aliases"].items()},
        frozenset(data["not_accepted"]),
        frozenset(int(tag, 16) for tag in data["insert_as_SH"]),
        frozenset(int(tag, 16) for tag in data["unknown_to_dcm4che"]),
    )


@cache
def tag_of_name(name: str) -> int | None:
    """Return the tag of a dictionary name (case-sensitive), None when the dictionary lacks it."""
    aliases, refused, _, _ = _differences()
    if name in aliases:
        return aliases[name]
    if name in refused or not name:
        return None
    return tag_for_keyword(name)


@cache
def known(tag: int) -> bool:
    """Say whether the scripts' dictionary has `tag`."""
    return tag not in _differences()[3] and dictionary_has_tag(tag)


@cache
def read_vr(tag: int) -> str:
    """Return the VR under which an element of an implicit VR file is read."""
    if tag & 0xFFFF == 0:
        return "UL"
    if tag & 0x10000:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    if not known(tag):
        return "UN"
    vr = dictionary_VR(tag)
    return _FIRST.get(vr, vr)


@cache
def insert_vr(tag: int) -> str:
    """Return the VR under which a rule inserts an absent element."""
    if tag & 0xFFFF == 0:
        return "UL"
    if tag & 0x10000:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "SH"
    if tag in _differences()[2] or not known(tag):
        return "SH"
    vr = dictionary_VR(tag)
    return "SH" if " or " in vr else vr


_BINARY = frozenset(
    ["US", "SS", "UL", "SL", "FL", "FD", "AT", "OB", "OW", "OF", "OD", "OL", "OV", "UV", "SV"]
)


@cache
def plausible_vr(tag: int, vr: str) -> bool:
    """Say whether an element's VR is of the kind (text, binary, sequence) that PS3.6 has for its tag."""
    if tag & 0x10000 or not dictionary_has_tag(tag):
        return True
    listed = dictionary_VR(tag).split(" or ")
    return vr in listed or (
        vr not in ("SQ", "UN") and "SQ" not in listed and (vr in _BINARY) == (listed[0] in _BINARY)
    )


def keyword(tag: int) -> str:
    """Return the PS3.6 keyword of a tag, or its eight hex digits."""
    entry = DicomDictionary.get(tag)
    return (entry[4] if entry else "") or f"{tag:08X}"
