"""De-identification method codes (CID 7050) as items of (0012,0064)."""

from __future__ import annotations

from lethe.header.raw import Syntax, element_head
from lethe.header.text import trim

MEANINGS = {
    "113100": "Basic Application Confidentiality Profile",
    "113101": "Clean Pixel Data Option",
    "113102": "Clean Recognizable Visual Features Option",
    "113103": "Clean Graphics Option",
    "113104": "Clean Structured Content Option",
    "113105": "Clean Descriptors Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
    "113111": "Retain Safe Private Option",
    "113112": "Retain Institution Identity Option",
}


_CTP_MEANINGS = {"113110": "Retain UIDs"}  # CTP's own words where they are not the standard's


def code_items(
    text: str, old: list[tuple[bytes, bool]], syntax: Syntax, *, as_ctp: bool
) -> list[tuple[bytes, bool]]:
    """Return the items for a ``/``-separated list of codes, after the `old` ones.

    The word ``reset`` drops what came before it.
    """
    items = list(old)
    for word in map(trim, text.split("/")):
        if word == "reset":
            items = []
        elif word:
            items.append((_item(word, syntax, as_ctp=as_ctp), False))
    return items


def _item(code: str, syntax: Syntax, *, as_ctp: bool) -> bytes:
    meaning = (_CTP_MEANINGS.get(code) if as_ctp else None) or MEANINGS.get(code)
    scheme = "UNKNOWN" if meaning is None else "DCM"
    values = ((0x00080100, "SH", code), (0x00080102, "SH", scheme), (0x00080104, "LO", meaning or "UNKNOWN"))
    out = b""
    for tag, vr, value in values:
        raw = value.encode("ascii", "replace")
        raw += b" " * (len(raw) % 2)
        out += element_head(tag, vr, len(raw), syntax) + raw
    return out
