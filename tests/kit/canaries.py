"""Objects with a distinct canary in every attribute: top level, nested, private, around the dataset."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom._dicom_dict import DicomDictionary

CT, MR, ENHANCED_CT, ENHANCED_MR, XA, PT, US, SR, SC = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.12.1",
    "1.2.840.10008.5.1.4.1.1.128",
    "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.1.1.7",
)
KINDS = {
    "CT": CT, "MR": MR, "XA": XA, "PT": PT, "US": US, "SR": SR, "SC": SC,
    "enhanced CT": ENHANCED_CT, "enhanced MR": ENHANCED_MR,
}  # fmt: skip
PATIENT = "CNRYPATIENTQZ"
_LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
_NUMBERS = {
    "US": "H",
    "SS": "h",
    "UL": "I",
    "SL": "i",
    "FL": "f",
    "FD": "d",
    "UV": "Q",
    "SV": "q",
    "AT": "HH",
}
_PRIVATE_CREATORS = {
    0x0009: "GEMS_IDEN_01",
    0x0019: "SIEMENS MR HEADER",
    0x0029: "SIEMENS CSA HEADER",
    0x0043: "GEMS_PARM_01",
    0x2001: "Philips Imaging DD 001",
    0x7053: "Philips PET Private Group",
}
_DEPTH = 4
_DEEP = {  # sequences that are kept for analysis, and some that hold reports
    0x00081140, 0x00082112, 0x00082218, 0x00089124, 0x00189301, 0x00209116, 0x00289110, 0x0040A730,
    0x00400275, 0x52009229, 0x52009230, 0x00283000, 0x00286100, 0x00089215,
}  # fmt: skip


@dataclass
class Corpus:
    """Makes objects and remembers what was planted.

    Parameters
    ----------
    explicit : bool
        Whether VRs are written out.
    """

    explicit: bool = True
    planted: dict[str, str] = field(default_factory=dict)  # canary -> where

    def canary(self, where: str) -> str:
        """Return a new canary of 11 characters."""
        text = f"CNRY{len(self.planted):05d}QZ"
        self.planted[text] = where
        return text

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        value += (b"\0" if vr in ("UI", "OB", "UN") else b" ") * (len(value) % 2)
        head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        if not self.explicit:
            return head + struct.pack("<I", len(value)) + value
        if vr in _LONG:
            return head + vr.encode() + b"\0\0" + struct.pack("<I", len(value)) + value
        return head + vr.encode() + struct.pack("<H", len(value)) + value

    def value(self, tag: int, vr: str, where: str) -> bytes:
        """Return a value field with a canary; numbers of kept kinds get an innocent number."""
        if vr in _NUMBERS:
            return struct.pack("<" + _NUMBERS[vr], *([1] * len(_NUMBERS[vr])))
        return self.canary(where).encode()

    def item(self, depth: int, where: str) -> bytes:
        """Return an item with one attribute of each VR, identifiers, and a sequence one step deeper."""
        body = b""
        for tag in (0x00080050, 0x00080090, 0x00080104, 0x00081155, 0x00100010, 0x00100020, 0x00104000):
            body += self.standard(tag, where)
        for tag in (0x00189074, 0x0020000E, 0x00209056, 0x00209158, 0x00409210, 0x0040A160):
            body += self.standard(tag, where)
        if depth < _DEPTH:
            inner = self.item(depth + 1, where + f">{depth + 1}")
            body += self.sequence(0x52009229, inner)
            body += self.sequence(0x52009230, self.item(_DEPTH, where + ">last"))
        return body

    def sequence(self, tag: int, item: bytes) -> bytes:
        return self.element(tag, "SQ", b"\xfe\xff\x00\xe0" + struct.pack("<I", len(item)) + item)

    def standard(self, tag: int, where: str = "") -> bytes:
        vr = DicomDictionary[tag][0].split(" or ")[0]
        name = f"{where}({tag >> 16:04X},{tag & 0xFFFF:04X}) {vr}"
        if vr == "SQ":
            return self.sequence(tag, self.item(1 if tag in _DEEP else _DEPTH, name))
        return self.element(tag, vr, self.value(tag, vr, name))

    def private(self, group: int) -> Iterator[tuple[int, bytes]]:
        creator = _PRIVATE_CREATORS[group]
        yield group << 16 | 0x10, self.element(group << 16 | 0x10, "LO", creator.encode())
        for number, vr in enumerate(("LO", "PN", "UN", "OB", "LT", "DA", "SH", "UI", "IS")):
            tag = group << 16 | 0x1002 + number
            yield tag, self.element(tag, vr, self.canary(f"private {creator} {vr}").encode())
        tag = group << 16 | 0x1039
        yield tag, self.element(tag, "IS", self.canary(f"private {creator} IS").encode())
        tag = group << 16 | 0x10FE
        yield tag, self.element(tag, "SQ", self.sequence_value(f"private {creator} SQ"))

    def sequence_value(self, where: str) -> bytes:
        item = self.item(1, where)
        return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(item)) + item

    def elements(self, sop_class: str, fixed: dict[int, bytes]) -> dict[int, bytes]:
        out: dict[int, bytes] = {}
        for tag in DicomDictionary:
            if tag >> 16 < 8 or tag >> 16 >= 0xFFFA or tag >> 16 == 0x7FE0 or tag & 0xFFFF == 0:
                continue
            if tag not in fixed:
                out[tag] = self.standard(tag)
        for group in _PRIVATE_CREATORS:
            out.update(self.private(group))
        for group in (0x5000, 0x5002, 0x6000, 0x6002):
            for number, vr in (
                (0x0022, "LO"),
                (0x0040, "CS"),
                (0x1500, "LO"),
                (0x2500, "LO"),
                (0x3000, "OW"),
            ):
                tag = group << 16 | number
                out[tag] = self.element(tag, vr, self.canary(f"group {group:04X} {vr}").encode())
        for tag in (0x00080099, 0x00189FFE, 0x00280999, 0x0028FFF1, 0x00989898):
            if tag not in out:
                out[tag] = self.element(tag, "LO", self.canary(f"unknown {tag:08X}").encode())
        out.update({tag: self.element(tag, vr, raw) for tag, (vr, raw) in _fixed(sop_class).items()})
        return out

    def object(self, sop_class: str) -> bytes:
        """Return the bytes of a whole object."""
        fixed = dict.fromkeys(_fixed(sop_class), b"")
        body = b"".join(raw for _, raw in sorted(self.elements(sop_class, fixed).items()))
        pixels = self.element(0x7FE00010, "OW", bytes(32))
        after = self.element(0x7FE11010, "OB", self.canary("behind the pixels").encode())
        after += self.element(0xFFFCFFFC, "OB", self.canary("trailing padding").encode())
        return self.head(sop_class) + body + pixels + after

    def head(self, sop_class: str) -> bytes:
        explicit, self.explicit = self.explicit, True
        syntax = "1.2.840.10008.1.2.1" if explicit else "1.2.840.10008.1.2"
        meta = b"".join(
            self.element(tag, vr, raw)
            for tag, vr, raw in (
                (0x00020001, "OB", b"\0\1"),
                (0x00020002, "UI", sop_class.encode()),
                (0x00020003, "UI", self.canary("meta instance").encode()),
                (0x00020010, "UI", syntax.encode()),
                (0x00020012, "UI", b"1.2.3"),
                (0x00020016, "AE", self.canary("meta source").encode()),
                (0x00020100, "UI", b"1.2.3.4"),
                (0x00020102, "OB", self.canary("meta private").encode()),
            )
        )
        self.explicit = explicit
        length = b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(meta))
        return self.canary("preamble").encode().ljust(128, b"\0") + b"DICM" + length + meta


def _fixed(sop_class: str) -> dict[int, tuple[str, bytes]]:
    """Return what an object needs to be worked on at all."""
    return {
        0x00080005: ("CS", b"ISO_IR 192"),
        0x00080016: ("UI", sop_class.encode()),
        0x00100020: ("LO", PATIENT.encode()),
        0x00280002: ("US", b"\1\0"),
        0x00280004: ("CS", b"MONOCHROME2"),
        0x00280010: ("US", b"\4\0"),
        0x00280011: ("US", b"\4\0"),
        0x00280100: ("US", b"\x10\0"),
        0x00280101: ("US", b"\x10\0"),
        0x00280102: ("US", b"\x0f\0"),
        0x00280103: ("US", b"\0\0"),
        0x00280301: ("CS", b"NO"),
    }
