"""Objects with a planted value in every attribute of Table E.1-1, for the audit of a script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydicom.datadict import dictionary_has_tag, dictionary_VR

from lethe.header.e1 import PRIVATE, Row
from lethe.header.objectfile import EXPLICIT_LE, file_head
from lethe.header.raw import EXPLICIT, element_head

Place = tuple[int, ...]
"""The sequences around an element, from the outside in; empty at the top level."""

_CT = b"1.2.840.10008.5.1.4.1.1.2"
_META_INSTANCE = 0x00020003
_TEXT = frozenset(["AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"])
_NUMBERS = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "UV": 8, "SV": 8, "AT": 4}
_MOMENTS = {"DA": b"20010203", "TM": b"112233", "DT": b"20010203112233", "AS": b"045Y"}
_PLAUSIBLE = {
    "AE": b"AE1", "CS": b"YES", "LO": b"HEAD", "SH": b"STANDARD", "DS": b"1.5", "IS": b"15",
    "UI": b"1.2.840.10008.1.2", "LT": b"HEAD", "ST": b"HEAD", "UT": b"HEAD", "UC": b"HEAD", "AS": b"091Y",
}  # fmt: skip
_PROBES = (0x00100010, 0x00081155, 0x00080090, 0x00104000, 0x00080104)


class Kind(StrEnum):
    """What sort of value was planted; reports name the sort, never a value."""

    IDENTIFYING = "identifying"
    PLAUSIBLE = "plausible"
    UNDECLARED = "undeclared"


@dataclass(frozen=True)
class Plant:
    """One planted element.

    Parameters
    ----------
    row : Row
        The row of the table it stands for.
    tag : int
        The element.
    place : Place
        Where it lies.
    vr : str
        Value representation.
    kind : Kind
        Sort of the value.
    raw : bytes
        The value field without padding.
    mark : bytes
        Text that occurs nowhere else in the object; empty where the value cannot hold one.
    """

    row: Row
    tag: int
    place: Place
    vr: str
    kind: Kind
    raw: bytes
    mark: bytes


def plants(rows: Iterable[Row], places: Sequence[Place]) -> dict[tuple[Kind, int], list[Plant]]:
    """Return what to plant, grouped so that each group fits into one object."""
    groups: dict[tuple[Kind, int], list[Plant]] = {}
    number = 0
    for row in rows:
        for tag in _tags(row):
            for place in _possible(tag, places):
                for kind, index, vr in _forms(tag):
                    number += 1
                    made = _plant(row, tag, place, vr, kind, number)
                    if made is not None:
                        groups.setdefault((kind, index), []).append(made)
    return groups


def _tags(row: Row) -> Iterator[int]:
    if row.single:
        yield int(row.tag, 16)
    elif row.tag == PRIVATE:
        yield from (0x00091001, 0x00091002, 0x20011001, 0x70531000)
    elif row.tag.startswith("50"):
        yield from (0x50000022, 0x50023000, 0x501E2500)
    else:
        yield from (int(row.tag.replace("xx", group), 16) for group in ("00", "02", "1E"))


def _possible(tag: int, places: Sequence[Place]) -> Sequence[Place]:
    return [()] if tag >> 16 < 8 else places


def _forms(tag: int) -> Iterator[tuple[Kind, int, str]]:
    vrs = dictionary_VR(tag).split(" or ") if dictionary_has_tag(tag) else ["LO"]
    for index, vr in enumerate(vrs):
        yield Kind.IDENTIFYING, index, vr
        if vr in _PLAUSIBLE:
            yield Kind.PLAUSIBLE, index, vr
    if tag >> 16 >= 8 and "SQ" not in vrs:
        yield Kind.UNDECLARED, 0, "UN"


def _plant(row: Row, tag: int, place: Place, vr: str, kind: Kind, number: int) -> Plant | None:
    mark = f"QZ{number:07d}".encode()
    if kind is Kind.PLAUSIBLE:
        return Plant(row, tag, place, vr, kind, _PLAUSIBLE[vr], b"")
    if vr == "SQ":
        return Plant(row, tag, place, vr, kind, _item(_probes(mark)), mark)
    if vr in _TEXT or vr == "UN" or vr.startswith("O"):
        return Plant(row, tag, place, vr, kind, mark, mark)
    if vr in ("DS", "IS"):
        return Plant(row, tag, place, vr, kind, mark, mark)
    if vr == "UI":
        uid = f"1.2.3.{4700000 + number}".encode()
        return Plant(row, tag, place, vr, kind, uid, uid)
    if vr in _MOMENTS:
        return Plant(row, tag, place, vr, kind, _MOMENTS[vr], b"")
    return Plant(row, tag, place, vr, kind, (b"\x11\x12" * 4)[: _NUMBERS[vr]], b"")


def _probes(mark: bytes) -> bytes:
    """Return an item's elements that carry a mark in a name, a UID, a text and a code meaning."""
    out = {}
    for tag in _PROBES:
        vr = dictionary_VR(tag)
        out[tag] = _element(tag, vr, b"1.2.3.47" + mark[2:] if vr == "UI" else mark)
    return b"".join(raw for _, raw in sorted(out.items()))


def _element(tag: int, vr: str, raw: bytes) -> bytes:
    if len(raw) % 2:
        raw += b"\0" if vr in ("UI", "UN", "OB") else b" "
    return element_head(tag, vr, len(raw), EXPLICIT) + raw


def _item(body: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + len(body).to_bytes(4, "little") + body


def build(planted: Iterable[Plant], *, cleaned: bool = False) -> bytes:
    """Return the bytes of a CT object that carries the plants.

    Parameters
    ----------
    planted : iterable of Plant
        At most one for each element of a place.
    cleaned : bool
        Give the rest of the object the look of one that was cleaned at its site.
    """
    tree: dict[int, object] = {}
    meta = b"1.2.3.4.5"
    for plant in planted:
        if plant.tag == _META_INSTANCE:
            meta = plant.raw
            continue
        branch = tree
        for sequence in plant.place:
            inner = branch.get(sequence)
            if not isinstance(inner, dict):
                inner = branch[sequence] = {}
            branch = inner
        if not isinstance(branch.get(plant.tag), dict):
            branch[plant.tag] = _element(plant.tag, plant.vr, plant.raw)
            _creator(branch, plant.tag)
    for tag, vr, raw in _base(cleaned=cleaned):
        tree.setdefault(tag, _element(tag, vr, raw))
    return file_head(_CT, meta, EXPLICIT_LE) + _body(tree) + _element(0x7FE00010, "OW", bytes(8))


def _creator(branch: dict[int, object], tag: int) -> None:
    if tag & 0x10000:
        place = tag & 0xFFFF0000 | (tag >> 8 & 0xFF)
        branch[place] = _element(place, "LO", b"SITE BLOCK")


def _body(tree: dict[int, object]) -> bytes:
    out = []
    for tag, content in sorted(tree.items()):
        if isinstance(content, dict):
            value = _item(_body(content))
            out.append(element_head(tag, "SQ", len(value), EXPLICIT) + value)
        elif isinstance(content, bytes):
            out.append(content)
    return b"".join(out)


def _base(*, cleaned: bool) -> Iterator[tuple[int, str, bytes]]:
    root, patient = (b"2.25.47", b"A1B2") if cleaned else (b"1.2.3.4", b"PAT001")
    yield 0x00080005, "CS", b"ISO_IR 100"
    yield 0x00080016, "UI", _CT
    yield 0x00080018, "UI", root + b"15"
    yield 0x00080020, "DA", b"20010203"
    yield 0x00080060, "CS", b"CT"
    yield 0x00100010, "PN", patient
    yield 0x00100020, "LO", patient
    yield 0x0020000D, "UI", root + b"11"
    yield 0x0020000E, "UI", root + b"12"
    for tag, raw in ((2, b"\1\0"), (0x10, b"\2\0"), (0x11, b"\2\0"), (0x100, b"\x10\0"), (0x101, b"\x0c\0")):
        yield 0x00280000 | tag, "US", raw
    yield 0x00280004, "CS", b"MONOCHROME2"
    yield 0x00280102, "US", b"\x0b\0"
    yield 0x00280103, "US", b"\0\0"
