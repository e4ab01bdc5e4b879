"""The file around a dataset: preamble, file meta, where the pixels begin and what follows them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from struct import unpack_from

from pydicom._uid_dict import UID_dictionary

from lethe.errors import Quarantined
from lethe.header.raw import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED,
    Dataset,
    Element,
    NeedMore,
    Syntax,
    element_head,
    read_elements,
)
from lethe.header.text import trim
from lethe.header.view import View

IMPLICIT_LE, EXPLICIT_LE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
IMPLEMENTATION_UID = "2.25.190449838221842653374618640254731160423"
IMPLEMENTATION_VERSION = "LETHE_HEADER_1"
_FIRST = 1 << 16
_TRAILERS = (0xFFFCFFFC, 0xFFFAFFFA)
_TRANSFER_SYNTAXES = frozenset(
    str(uid)
    for uid, entry in UID_dictionary.items()
    if entry[1] == "Transfer Syntax" and "Papyrus" not in entry[0]
)


def _truncated() -> Quarantined:
    return Quarantined(
        "truncated", "The object ends before its data do.", remedy="Fetch it again from its source."
    )


def _not_dicom() -> Quarantined:
    return Quarantined("not-dicom", "The file is not a DICOM object.", remedy="Leave it out.")


@dataclass(frozen=True)
class ObjectFile:
    """A DICOM file read up to its pixels.

    Parameters
    ----------
    dataset : Dataset
        Elements before Pixel Data.
    meta : dict
        Text of the file meta elements, first values only.
    transfer_syntax : str
        Transfer syntax UID of the file meta; empty where there is no file meta.
    pixels : Element or None
        Pixel Data; positions count from the start of the file.
    after : Dataset
        Elements after Pixel Data.
    """

    dataset: Dataset
    meta: dict[int, str]
    transfer_syntax: str
    pixels: Element | None
    after: Dataset


def read_object(view: View) -> ObjectFile:
    """Read a DICOM file up to its pixels, and what stands behind them.

    Raises
    ------
    Quarantined
        The file is no DICOM object, is broken or ends early.
    """
    want = _FIRST
    while True:
        data = view.read(0, want)
        try:
            return _read(view, data)
        except NeedMore:
            if len(data) >= view.size:
                raise _truncated() from None
            want *= 8


def _read(view: View, data: bytes) -> ObjectFile:
    position, meta, syntax, uid = _file_meta(data)
    if uid == DEFLATED:
        return _read_deflated(view, position, meta)
    elements, end = read_elements(data, position, len(data), syntax, pixels=True)
    dataset = Dataset(data, elements, syntax)
    if end >= view.size:
        return ObjectFile(dataset, meta, uid, None, Dataset(b"", [], syntax))
    if end >= len(data):
        raise NeedMore
    if unpack_from("<HH" if syntax.little else ">HH", data, end) != (0x7FE0, 0x0010):
        raise Quarantined(
            "broken-structure", "The object's elements do not follow each other as DICOM demands."
        )
    pixels = _pixels(view, data, end, syntax)
    return ObjectFile(dataset, meta, uid, pixels, _after(view, pixels.end, syntax))


def _file_meta(data: bytes) -> tuple[int, dict[int, str], Syntax, str]:
    if len(data) >= 132 and data[128:132] == b"DICM":
        position = 132
    else:
        position = 0
        if len(data) < 8:
            raise _not_dicom()
        if data[:2] != b"\x02\0":
            return 0, {}, _guess(data), ""
    meta: dict[int, str] = {}
    while position + 8 <= len(data) and data[position : position + 2] == b"\x02\0":
        (element, end) = _one_meta(data, position)
        text = data[element.value : element.stop].decode("latin-1").replace("\0", "")
        meta[element.tag] = trim(text.split("\\")[0])
        position = end
    uid = meta.get(0x00020010, "")
    syntax = {IMPLICIT_LE: IMPLICIT, BIG_ENDIAN: BIG}.get(uid, EXPLICIT)
    if not uid and position + 8 <= len(data):
        syntax = _guess(data[position:])
    return position, meta, syntax, uid


def _one_meta(data: bytes, position: int) -> tuple[Element, int]:
    elements, end = read_elements(data, position, position + _meta_length(data, position), EXPLICIT)
    return elements[0], end


def _meta_length(data: bytes, position: int) -> int:
    long = data[position + 4 : position + 6] in (b"OB", b"UN", b"UT", b"OW", b"SQ")
    if position + 12 > len(data):
        raise NeedMore
    length = (
        12 + unpack_from("<I", data, position + 8)[0]
        if long
        else 8 + unpack_from("<H", data, position + 6)[0]
    )
    if position + length > len(data):
        raise NeedMore
    return int(length)


def _guess(data: bytes) -> Syntax:
    """Guess the encoding of a dataset without file meta, from its first element."""
    for little in (True, False):
        group, number = unpack_from("<HH" if little else ">HH", data)
        if group not in (0x0002, 0x0004, 0x0008, 0x0010) or number > 0x1155:
            continue
        if data[4:6].isalpha() and data[4:6].isupper():
            return EXPLICIT if little else BIG
        if little:
            return IMPLICIT
    raise _not_dicom()


def _pixels(view: View, data: bytes, start: int, syntax: Syntax) -> Element:
    order = "<I" if syntax.little else ">I"
    if syntax.explicit:
        if start + 12 > len(data):
            raise NeedMore
        vr = data[start + 4 : start + 6].decode("latin-1")
        if vr not in ("OB", "OW", "UN"):
            raise Quarantined(
                "broken-structure", "The pixels have no value representation that pixels can have."
            )
        (length,) = unpack_from(order, data, start + 8)
        value = start + 12
    else:
        vr = "OW"
        if start + 8 > len(data):
            raise NeedMore
        (length,) = unpack_from(order, data, start + 4)
        value = start + 8
    if length != UNDEFINED:
        if value + length > view.size:
            raise _truncated()
        return Element(PIXEL_DATA, vr, start, value, value + length, value + length, False)
    end = _fragments(view, value)
    return Element(PIXEL_DATA, vr, start, value, end - 8, end, True)


def _fragments(view: View, position: int) -> int:
    while position + 8 <= view.size:
        group, number, length = unpack_from("<HHI", view.read(position, 8))
        tag = group << 16 | number
        position += 8
        if tag == SEQUENCE_END:
            return position
        if tag != ITEM or length == UNDEFINED:
            raise Quarantined("broken-structure", "The compressed pixels are not a sequence of fragments.")
        position += length
    raise _truncated()


def _after(view: View, position: int, syntax: Syntax) -> Dataset:
    if position >= view.size:
        return Dataset(b"", [], syntax)
    data = view.read(position, view.size)
    end = _before_trailer(data, syntax)
    try:
        elements, stop = read_elements(data, 0, end, syntax)
    except NeedMore:
        raise _truncated() from None
    if stop != end:
        raise Quarantined("broken-structure", "The object goes on behind its pixels with what is no element.")
    return Dataset(data, elements, syntax)


def _before_trailer(data: bytes, syntax: Syntax) -> int:
    """Return where trailing padding begins; it and all after it are dropped."""
    position = 0
    while position + 8 <= len(data):
        group, number = unpack_from("<HH" if syntax.little else ">HH", data, position)
        if group << 16 | number in _TRAILERS:
            return position
        elements, after = _first(data, position, syntax)
        if not elements:
            return len(data)
        position = after
    return len(data)


def _first(data: bytes, position: int, syntax: Syntax) -> tuple[bool, int]:
    long = not syntax.explicit or data[position + 4 : position + 6] in (
        b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"
    )  # fmt: skip
    order = "<" if syntax.little else ">"
    if not syntax.explicit:
        length, head = unpack_from(order + "I", data, position + 4)[0], 8
    elif long:
        if position + 12 > len(data):
            return False, position
        length, head = unpack_from(order + "I", data, position + 8)[0], 12
    else:
        length, head = unpack_from(order + "H", data, position + 6)[0], 8
    if length == UNDEFINED:
        return False, position
    return True, position + head + length


def _read_deflated(view: View, position: int, meta: dict[int, str]) -> ObjectFile:
    try:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(view.read(position, view.size))
        elements, end = read_elements(data, 0, len(data), EXPLICIT, pixels=True)
        pixels = None
        after: list[Element] = []
        if end < len(data):
            (length,) = unpack_from("<I", data, end + 8)
            vr = data[end + 4 : end + 6].decode("latin-1")
            stop = end + 12 + length
            pixels = Element(PIXEL_DATA, vr, end, end + 12, stop, stop, False)
    except (zlib.error, NeedMore):
        raise _truncated() from None
    return ObjectFile(
        Dataset(data, elements, EXPLICIT), meta, DEFLATED, pixels, Dataset(b"", after, EXPLICIT)
    )


def known_transfer_syntax(uid: str) -> bool:
    """Say whether a UID is a transfer syntax of PS3.6."""
    return uid in _TRANSFER_SYNTAXES


def file_head(sop_class: bytes, sop_instance: bytes, transfer_syntax: str) -> bytes:
    """Return an empty preamble and a new file meta group.

    Parameters
    ----------
    sop_class, sop_instance : bytes
        Value fields of (0008,0016) and (0008,0018).
    transfer_syntax : str
        Transfer syntax UID.
    """

    def even(raw: bytes) -> bytes:
        return raw + b"\0" if len(raw) % 2 else raw

    parts = [
        (0x00020001, "OB", b"\0\1"),
        (0x00020002, "UI", even(sop_class)),
        (0x00020003, "UI", even(sop_instance)),
        (0x00020010, "UI", even(transfer_syntax.encode())),
        (0x00020012, "UI", even(IMPLEMENTATION_UID.encode())),
        (0x00020013, "SH", IMPLEMENTATION_VERSION.encode()),
    ]
    body = b"".join(element_head(t, vr, len(_pad(v)), EXPLICIT) + _pad(v) for t, vr, v in parts)
    length = element_head(0x00020000, "UL", 4, EXPLICIT) + len(body).to_bytes(4, "little")
    return b"\0" * 128 + b"DICM" + length + body


def _pad(raw: bytes) -> bytes:
    return raw + b" " if len(raw) % 2 else raw
