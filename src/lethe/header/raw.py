"""Raw DICOM elements: where each one lies in the bytes of a file, and nothing more.

A header is read once and stays bytes; an element is five numbers. What no rule touches is copied as
it lies, so it cannot be changed by a decoding and encoding it did not need.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from lethe.errors import Quarantined
from lethe.header.names import read_vr

PIXEL_DATA = 0x7FE00010
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
_LONG = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
_SHORT = frozenset(
    [
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FD",
        "FL",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
    ]
) | {"UI", "UL", "US"}
_VR = {vr.encode(): vr for vr in _LONG | _SHORT}
_MOST_DEPTH = 64


class Syntax(NamedTuple):
    """How elements are encoded: VR written out or not, low byte first or not."""

    explicit: bool
    little: bool


IMPLICIT, EXPLICIT, BIG = Syntax(False, True), Syntax(True, True), Syntax(True, False)
_HEADS = {
    True: (Struct("<HH"), Struct("<H"), Struct("<I")),
    False: (Struct(">HH"), Struct(">H"), Struct(">I")),
}


class NeedMore(Exception):
    """The bytes at hand end before the header does."""


class Element(NamedTuple):
    """One element: `start` to `end` all of it, `value` to `stop` its value field, in `data`."""

    tag: int
    vr: str
    start: int
    value: int
    stop: int
    end: int
    undefined: bool


class Dataset:
    """The elements of one dataset or item, in the order of the file.

    Parameters
    ----------
    data : bytes
        The bytes the elements lie in.
    elements : list of Element
        In file order.
    syntax : Syntax
        How `data` is encoded.
    parent : Dataset, optional
        The dataset whose sequence this item belongs to; None for the outermost.
    """

    __slots__ = ("_items", "data", "elements", "index", "parent", "syntax", "texts")

    def __init__(
        self, data: bytes, elements: list[Element], syntax: Syntax, parent: Dataset | None = None
    ) -> None:
        self.data = data
        self.elements = elements
        self.syntax = syntax
        self.parent = parent
        self.index = {element.tag: element for element in elements}
        self.texts: dict[int, str] = {}
        self._items: dict[int, list[Item]] = {}

    @property
    def root(self) -> Dataset:
        """The outermost dataset."""
        dataset = self
        while dataset.parent is not None:
            dataset = dataset.parent
        return dataset

    @property
    def depth(self) -> int:
        """Number of sequences around this dataset."""
        return 0 if self.parent is None else 1 + self.parent.depth

    def raw(self, element: Element) -> bytes:
        """Return the value field of `element`."""
        return self.data[element.value : element.stop]

    def items(self, element: Element) -> list[Item]:
        """Return the items of a sequence, read when first asked for."""
        found = self._items.get(element.value)
        if found is None:
            found, _ = _read_items(
                self.data, element.value, element.stop, self.syntax, self, element.undefined
            )
            self._items[element.value] = found
        return found

    def creator(self, tag: int) -> str | None:
        """Return the private creator of a private element, None where none is declared."""
        block = (tag & 0xFF00) >> 8
        element = self.index.get((tag & 0xFFFF0000) | block) if block >= 0x10 else None
        return None if element is None else self.raw(element).decode("latin-1").strip(" \0")


class Item(NamedTuple):
    """One item of a sequence and the length style of its header."""

    dataset: Dataset
    undefined: bool


def read_elements(
    data: bytes, position: int, stop: int, syntax: Syntax, *, pixels: bool = False
) -> tuple[list[Element], int]:
    """Read elements from `position` until `stop`, or until Pixel Data when `pixels` is set.

    Returns
    -------
    list of Element, int
        The elements, and where reading ended (the head of Pixel Data, or `stop`).

    Raises
    ------
    NeedMore
        An element reaches beyond `stop`.
    Quarantined
        An element has an unknown value representation or stands where none may.
    """
    elements: list[Element] = []
    position = _fill(elements, data, position, stop, syntax, pixels, 0)
    return elements, position


def _fill(
    elements: list[Element], data: bytes, position: int, stop: int, syntax: Syntax, pixels: bool, depth: int
) -> int:
    unpack_tag, unpack_short, unpack_long = (head.unpack_from for head in _HEADS[syntax.little])
    explicit = syntax.explicit
    while position < stop:
        if position + 8 > stop:
            raise NeedMore
        group, number = unpack_tag(data, position)
        tag = group << 16 | number
        if pixels and tag == PIXEL_DATA:
            return position
        if group == 0xFFFE:
            if tag in (ITEM_END, SEQUENCE_END):
                return position
            raise _broken()
        if explicit:
            code = data[position + 4 : position + 6]
            vr = _VR.get(code)
            if vr is None:
                raise Quarantined(
                    "unknown-vr",
                    "The object has an element of unknown value representation.",
                    remedy="Repair it at its source.",
                )
            if vr in _LONG:
                if position + 12 > stop:
                    raise NeedMore
                (length,) = unpack_long(data, position + 8)
                value = position + 12
            else:
                (length,) = unpack_short(data, position + 6)
                value = position + 8
        else:
            vr = read_vr(tag)
            (length,) = unpack_long(data, position + 4)
            value = position + 8
        if length == UNDEFINED:
            inner = IMPLICIT if vr == "UN" else syntax
            end = _skip_items(data, value, stop, inner, depth + 1)
            elements.append(Element(tag, "SQ" if not explicit else vr, position, value, end - 8, end, True))
        else:
            end = value + length
            if end > stop:
                raise NeedMore
            elements.append(Element(tag, vr, position, value, end, end, False))
        position = end
    return position


def _broken() -> Quarantined:
    return Quarantined(
        "broken-structure",
        "The object's elements do not follow each other as DICOM demands.",
        remedy="Repair it at its source.",
    )


def _skip_items(data: bytes, position: int, stop: int, syntax: Syntax, depth: int) -> int:
    """Return the position after the delimiter of an undefined-length sequence."""
    for tag, _start, end, _undefined in _walk_items(data, position, stop, syntax, depth, delimited=True):
        if tag == SEQUENCE_END:
            return end
    raise NeedMore


def _walk_items(
    data: bytes, position: int, stop: int, syntax: Syntax, depth: int, *, delimited: bool
) -> Iterator[tuple[int, int, int, bool]]:
    if depth > _MOST_DEPTH:
        raise _broken()
    unpack_tag, _, unpack_long = (head.unpack_from for head in _HEADS[syntax.little])
    while position < stop:
        if position + 8 > stop:
            raise NeedMore
        group, number = unpack_tag(data, position)
        tag = group << 16 | number
        (length,) = unpack_long(data, position + 4)
        start = position + 8
        if tag == SEQUENCE_END and delimited:
            yield tag, start, start, False
            return
        if tag != ITEM:
            raise _broken()
        if length == UNDEFINED:
            after = _fill([], data, start, stop, syntax, False, depth)
            if after + 8 > stop:
                raise NeedMore
            if unpack_tag(data, after) != (0xFFFE, 0xE00D):
                raise _broken()
            yield tag, start, after + 8, True
            position = after + 8
        else:
            if start + length > stop:
                raise NeedMore
            yield tag, start, start + length, False
            position = start + length
    if delimited:
        raise NeedMore


def _read_items(
    data: bytes, position: int, stop: int, syntax: Syntax, parent: Dataset, delimited: bool
) -> tuple[list[Item], int]:
    items: list[Item] = []
    limit = stop + 8 if delimited else stop
    try:
        for tag, start, end, undefined in _walk_items(
            data, position, limit, syntax, parent.depth + 1, delimited=delimited
        ):
            if tag == SEQUENCE_END:
                break
            elements, after = read_elements(data, start, end, syntax)
            if after != (end - 8 if undefined else end):
                raise _broken()
            items.append(Item(Dataset(data, elements, syntax, parent), undefined))
    except NeedMore:
        raise _broken() from None
    return items, position


def element_head(tag: int, vr: str, length: int, syntax: Syntax) -> bytes:
    """Return the bytes that stand before a value field of `length` bytes.

    Raises
    ------
    OverflowError
        The value is too long for its value representation.
    """
    pack_tag, pack_short, pack_long = (head.pack for head in _HEADS[syntax.little])
    start = pack_tag(tag >> 16, tag & 0xFFFF)
    if not syntax.explicit:
        return start + pack_long(length)
    if vr in _LONG:
        return start + vr.encode() + b"\0\0" + pack_long(length)
    if length > 0xFFFF:
        raise OverflowError
    return start + vr.encode() + pack_short(length)
