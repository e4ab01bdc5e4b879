"""A quick reader for the few header elements that conversion needs, nested ones included.

It walks over everything else without looking at it: a series of a thousand slices is read in a fifth of a
second. Values come as text, numbers or lists of them, whatever the byte order and VR encoding.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"

# Element, keyword and VR (needed where the file does not write it), as in PS3.6.
_DICTIONARY = """
00020010 TransferSyntaxUID UI
00080008 ImageType CS
00080016 SOPClassUID UI
00080018 SOPInstanceUID UI
0008002A AcquisitionDateTime DT
00080032 AcquisitionTime TM
00080033 ContentTime TM
00080060 Modality CS
00080064 ConversionType CS
00080070 Manufacturer LO
00089007 FrameType CS
00089208 ComplexImageComponent CS
00100020 PatientID LO
00180015 BodyPartExamined CS
00180050 SliceThickness DS
00180060 KVP DS
00180081 EchoTime DS
00180088 SpacingBetweenSlices DS
00180082 InversionTime DS
00181060 TriggerTime DS
00181210 ConvolutionKernel SH
00181314 FlipAngle DS
00189074 FrameAcquisitionDateTime DT
00189076 DiffusionGradientDirectionSequence SQ
00189082 EffectiveEchoTime FD
00189087 DiffusionBValue FD
00189089 DiffusionGradientOrientation FD
00189114 MREchoSequence SQ
00189117 MRDiffusionSequence SQ
00189118 CardiacSynchronizationSequence SQ
00189226 MRImageFrameTypeSequence SQ
00189329 CTImageFrameTypeSequence SQ
0020000D StudyInstanceUID UI
0020000E SeriesInstanceUID UI
00200012 AcquisitionNumber IS
00200013 InstanceNumber IS
00200032 ImagePositionPatient DS
00200037 ImageOrientationPatient DS
00200052 FrameOfReferenceUID UI
00200100 TemporalPositionIdentifier IS
00200105 NumberOfTemporalPositions IS
00201002 ImagesInAcquisition IS
00201041 SliceLocation DS
00209057 InStackPositionNumber UL
00209111 FrameContentSequence SQ
00209113 PlanePositionSequence SQ
00209116 PlaneOrientationSequence SQ
00209128 TemporalPositionIndex UL
00209153 NominalCardiacTriggerDelayTime FD
00209156 FrameAcquisitionNumber US
00209163 InConcatenationTotalNumber US
00280002 SamplesPerPixel US
00280004 PhotometricInterpretation CS
00280008 NumberOfFrames IS
00280010 Rows US
00280011 Columns US
00280030 PixelSpacing DS
00280100 BitsAllocated US
00280101 BitsStored US
00280102 HighBit US
00280103 PixelRepresentation US
00280301 BurnedInAnnotation CS
00281052 RescaleIntercept DS
00281053 RescaleSlope DS
00282110 LossyImageCompression CS
00283000 ModalityLUTSequence SQ
00289110 PixelMeasuresSequence SQ
00289145 PixelValueTransformationSequence SQ
2005140F PhilipsFrameSequence SQ
52009229 SharedFunctionalGroupsSequence SQ
52009230 PerFrameFunctionalGroupsSequence SQ
"""
_WANTED: dict[int, tuple[str, str]] = {
    int(tag, 16): (keyword, vr)
    for tag, keyword, vr in (line.split() for line in _DICTIONARY.strip().splitlines())
}
# Group and creator of a private block, and what is wanted of it by the element's last two digits.
_PRIVATE: dict[tuple[int, bytes], dict[int, tuple[str, str]]] = {
    (0x2005, b"Philips MR Imaging DD 001"): {0x0E: ("PhilipsScaleSlope", "FL")},
    (0x2001, b"Philips Imaging DD 001"): {0x03: ("PrivateBValue", "FL")},
    (0x0019, b"SIEMENS MR HEADER"): {0x0C: ("PrivateBValue", "IS"), 0x0E: ("PrivateGradient", "FD")},
    (0x0043, b"GEMS_PARM_01"): {0x39: ("PrivateBValue", "IS")},
    (0x0029, b"SIEMENS CSA HEADER"): {0x10: ("SiemensImageHeader", "OB")},
}
_PRIVATE_GROUPS = frozenset(group for group, _ in _PRIVATE)

_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
# Tag, VR and short length; tag and length of an item; a long length.
_START_AT = {order: struct.Struct(f"{order}HH2sH").unpack_from for order in "<>"}
_ITEM_AT = {order: struct.Struct(f"{order}HHI").unpack_from for order in "<>"}
_LONG_AT = {order: struct.Struct(f"{order}I").unpack_from for order in "<>"}
_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_OPEN = 0xFFFFFFFF
_FIRST_READ = 1 << 14
_DEEPEST = 32


@dataclass(slots=True)
class Header:
    """Values by keyword.

    Attributes
    ----------
    values : dict
        Text, bytes, number, list of text or numbers, or list of `Header` for a sequence; empty values
        are absent.
    transfer_syntax : str
        UID of the file's encoding.
    pixels : tuple of (int, int, str, str) or None
        Offset and length of the pixel element's value, its VR (empty if not written) and the byte order;
        None without pixels, or where their place in the file is not that in the data set (deflated).
    """

    values: dict[str, Any] = field(default_factory=dict)
    transfer_syntax: str = ""
    pixels: tuple[int, int, str, str] | None = None

    def get(self, keyword: str, default: Any = None) -> Any:
        """Return a value, as a data set would."""
        return self.values.get(keyword, default)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.values


def read_header(path: Path, *, last_group: int = 0xFFFF) -> Header:
    """Read the wanted elements of a file, up to its pixels.

    Parameters
    ----------
    path : Path
        The file.
    last_group : int
        Where to stop reading; then nothing is said about the pixels.

    Raises
    ------
    EOFError, ValueError, OSError
        The file is not a whole DICOM object up to its pixels.
    """
    stream = os.open(path, os.O_RDONLY)  # `open` takes longer than most files take to be read
    try:
        header = _read(stream, last_group)
        size = os.fstat(stream).st_size
    finally:
        os.close(stream)
    if header.pixels is not None and header.pixels[1] != _OPEN and sum(header.pixels[:2]) > size:
        raise EOFError
    return header


def _read(stream: int, last_group: int) -> Header:
    data, piece = b"", _FIRST_READ
    while True:
        more = os.read(stream, piece)
        data += more
        try:
            return _header(data, last_group)
        except EOFError:  # a header that is longer than what was read, or a damaged file
            if len(more) < piece:
                raise
        piece = 15 * len(data)


def _header(data: bytes, last_group: int) -> Header:
    if len(data) < 132 or data[128:132] != b"DICM":
        raise ValueError("not a DICOM file")
    meta = _Walk(data, "<", explicit=True)
    start = meta.run(132, len(data), last_group=2)
    syntax = str(meta.header.get("TransferSyntaxUID") or "")
    if syntax == DEFLATED:
        data, start = _inflated(data[start:]), 0
    order = ">" if syntax == EXPLICIT_BIG else "<"
    # Some senders announce one encoding and write the other: the first element tells.
    walk = _Walk(data, order, explicit=data[start + 4 : start + 6].isalpha())
    walk.run(start, len(data), last_group)
    walk.header.transfer_syntax = syntax
    if syntax == DEFLATED:
        walk.header.pixels = None
    return walk.header


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompress(data, -15)
    except zlib.error as error:
        raise EOFError from error


class _Walk:
    """One data set or item, from its first element to its end."""

    def __init__(self, data: bytes, order: str, *, explicit: bool, depth: int = 0) -> None:
        if depth > _DEEPEST:
            raise ValueError("sequences too deep")
        self.header = Header()
        self._data, self._order, self._explicit, self._depth = data, order, explicit, depth
        self._long = _LONG_AT[order]
        self._blocks: dict[tuple[int, int], dict[int, tuple[str, str]]] = {}

    def run(self, at: int, end: int, last_group: int = 0xFFFF) -> int:
        """Walk from `at`; return where it ended: at `end`, behind a group, at the pixels or an end mark."""
        data, start_at, wanted = self._data, _START_AT[self._order], _WANTED
        while at < end:
            if at + 8 > end:
                raise EOFError
            group, number, vr, length = start_at(data, at)
            tag = group << 16 | number
            if group > last_group:
                return at
            if tag == _ITEM_END:
                return at + 8
            value = at + 8
            if not self._explicit or vr in _LONG or tag >> 16 == 0xFFFE:
                vr, length, value = self._head(at, tag, vr)
            elif not vr.isalpha():
                raise ValueError("element without VR")
            if tag in _PIXELS and self._depth == 0:
                self.header.pixels = (value, length, vr.decode("ascii", "replace"), self._order)
                return end
            known = wanted.get(tag)
            if length == _OPEN or (known is not None and known[1] == "SQ"):
                at = self._sequence(value, length, end, known, vr)
                continue
            at = value + length
            if at > end:
                raise EOFError
            if known is not None:
                self._keep(known, vr, data[value:at])
            elif group in _PRIVATE_GROUPS:
                self._keep_private(group, number, vr, data[value:at])
        return at

    def _head(self, at: int, tag: int, vr: bytes) -> tuple[bytes, int, int]:
        """Return VR, length and the place of the value where they take other places than usual."""
        if not self._explicit or tag >> 16 == 0xFFFE:
            return b"", self._long(self._data, at + 4)[0], at + 8
        if at + 12 > len(self._data):
            raise EOFError
        return vr, self._long(self._data, at + 8)[0], at + 12

    def _sequence(self, at: int, length: int, end: int, known: tuple[str, str] | None, vr: bytes) -> int:
        """Walk over the items of a sequence, keeping them if they are wanted; return where it ends."""
        last = end if length == _OPEN else at + length
        if last > end:
            raise EOFError
        # Undefined length with VR UN holds implicit little endian (PS3.5 6.2.2).
        explicit = self._explicit and vr != b"UN"
        items = []
        while at < last:
            if at + 8 > last:
                raise EOFError
            group, number, size = _ITEM_AT[self._order](self._data, at)
            tag = group << 16 | number
            at += 8
            if tag == _SEQUENCE_END:
                break
            if tag != _ITEM:
                raise ValueError("something else than an item in a sequence")
            stop = last if size == _OPEN else at + size
            if stop > last:
                raise EOFError
            if known is None and size != _OPEN:
                at = stop
                continue
            walk = _Walk(self._data, self._order, explicit=explicit, depth=self._depth + 1)
            at = walk.run(at, stop)
            items.append(walk.header)
        else:
            if length == _OPEN:
                raise EOFError
        if known is not None and items:
            self.header.values[known[0]] = items
        return at

    def _keep(self, known: tuple[str, str], vr: bytes, raw: bytes) -> None:
        value = self._value(raw, vr.decode("ascii") if vr not in (b"", b"UN") else known[1])
        if value is not None:
            self.header.values[known[0]] = value

    def _keep_private(self, group: int, number: int, vr: bytes, raw: bytes) -> None:
        if number < 0x100:
            block = _PRIVATE.get((group, raw.strip(b"\0 ")))
            if block is not None:
                self._blocks[group, number] = block
            return
        known = self._blocks.get((group, number >> 8), {}).get(number & 0xFF)
        if known is not None and vr in (known[1].encode(), b"", b"UN"):
            self._keep(known, vr, raw)

    def _value(self, raw: bytes, vr: str) -> Any:
        if vr == "OB":
            return raw or None
        if vr in _BINARY:
            code = _BINARY[vr]
            count = len(raw) // struct.calcsize(code)
            found: list[Any] = list(struct.unpack(f"{self._order}{count}{code}", raw))
        else:
            text = raw.decode("latin-1").strip(" \0")
            parts = text.split("\\") if text else []
            found = [float(part) if vr in ("DS", "IS") and part.strip() else part.strip() for part in parts]
        return None if not found else found[0] if len(found) == 1 else found
