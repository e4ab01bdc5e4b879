"""Where uncompressed grey pixels lie in a file."""

from __future__ import annotations

from dataclasses import dataclass

from lethe.image.elements import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Header
from lethe.image.values import whole

GREY = ("MONOCHROME1", "MONOCHROME2")
# Transfer syntaxes whose pixels lie in the file as they are.
_NATIVE = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG})


@dataclass(frozen=True, slots=True)
class PixelPlace:
    """Where uncompressed grey pixels lie in a file, so that they need not be looked for twice.

    Attributes
    ----------
    offset : int
        First byte of the values.
    length : int
        Number of bytes that the header announces.
    dtype : str
        Numpy type of a stored value, byte order included.
    bits_stored : int
        Bits in use; the upper ones may hold anything.
    """

    offset: int
    length: int
    dtype: str
    bits_stored: int


def pixel_place(header: Header) -> PixelPlace | None:
    """Return where plain grey pixels begin; None for anything that needs a decoder."""
    bits, length = header.get("BitsAllocated"), header.pixels[1] if header.pixels else 0
    stored = whole(header, "BitsStored") or bits
    if bits is not None and (whole(header, "HighBit") or stored - 1) != stored - 1:
        return None
    plain = header.get("PhotometricInterpretation") in GREY
    grey = plain and header.get("SamplesPerPixel", 1) == 1
    if header.transfer_syntax not in _NATIVE or bits not in (8, 16, 32) or not grey or header.pixels is None:
        return None
    offset, length, vr, order = header.pixels
    if vr not in ("", "OW", "OB"):
        return None
    kind = f"{order}{'i' if header.get('PixelRepresentation') else 'u'}{bits // 8}"
    return PixelPlace(offset, length, kind, stored)
