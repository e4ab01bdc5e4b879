"""The pixel anonymizer script: blank the regions where a kind of object carries text.

``{ filter }`` opens a signature, each ``(x,y,w,h)`` after it is a region. The first signature that an
object fulfils is the one that counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lethe.errors import Misconfigured, Quarantined
from lethe.header.objectfile import BIG_ENDIAN, EXPLICIT_LE, IMPLICIT_LE, ObjectFile, read_object
from lethe.header.objectfilter import ObjectFilter
from lethe.header.private import packaged
from lethe.header.raw import element_head
from lethe.header.text import java_int
from lethe.header.values import Reader
from lethe.header.view import View

_TOKEN = re.compile(r"\{([^}]*)\}|\(([^)]*)\)")
_UNCOMPRESSED = ("", IMPLICIT_LE, EXPLICIT_LE, BIG_ENDIAN)
_BURNED_IN = 0x00280301


@dataclass(frozen=True)
class Region:
    """A rectangle; like CTP's it covers `width` + 1 columns and `height` + 1 rows."""

    x: int
    y: int
    width: int
    height: int

    def columns(self, count: int) -> range:
        """Return the columns it covers in an image `count` wide; a negative x counts from the right."""
        return _covered(self.x, self.width, count)

    def rows(self, count: int) -> range:
        """Return the rows it covers in an image `count` high."""
        return _covered(self.y, self.height, count)


def _covered(start: int, length: int, count: int) -> range:
    start = start + count if start < 0 else start
    return range(max(start, 0), min(start + length + 1, count))


@dataclass(frozen=True)
class Signature:
    """A kind of object and the regions to blank in it."""

    filter: ObjectFilter
    regions: tuple[Region, ...]


@dataclass(frozen=True)
class PixelOutcome:
    """What the pixel script did.

    Parameters
    ----------
    status : str
        ``OK`` regions blanked; ``NOMATCH``, ``NOREGIONS``, ``NOTIMAGE`` the object passes as it is.
    signature : str
        Text of the signature that counted.
    view : View
        The object.
    """

    status: str
    signature: str
    view: View


@dataclass(frozen=True)
class PixelScript:
    """A compiled pixel script.

    Parameters
    ----------
    signatures : tuple of Signature
        In the order in which they are tried.
    as_ctp : bool
        Let pass what CTP lets pass: compressed pixels, odd bit depths.
    """

    signatures: tuple[Signature, ...]
    as_ctp: bool = False

    def apply(self, view: View, *, test: bool = False, set_burned_in: bool = False) -> PixelOutcome:
        """Blank the regions of the first signature that the object fulfils.

        Parameters
        ----------
        view : View
            The object's bytes.
        test : bool
            Fill with grey instead of black, to see the regions.
        set_burned_in : bool
            Set (0028,0301) to NO where regions were blanked.

        Raises
        ------
        Quarantined
            The object is broken; or its pixels cannot be reached although a signature asks for it.
        """
        source = read_object(view)
        image = _Image.of(source, strict=not self.as_ctp)
        if image is None:
            return PixelOutcome("NOTIMAGE", "", view)
        signature = next((one for one in self.signatures if one.filter.holds(source)), None)
        if signature is None:
            return PixelOutcome("NOMATCH", "", view)
        text = signature.filter.text
        if not signature.regions:
            return PixelOutcome("NOREGIONS", text, view)
        pixels = source.pixels
        if pixels is None or source.transfer_syntax not in _UNCOMPRESSED or image.bits % 8:
            if self.as_ctp:
                return PixelOutcome("SKIP", text, view)
            raise Quarantined(
                "compressed-pixels",
                "The object's pixels must be blanked and are compressed.",
                remedy="Decompress it first.",
            )
        data = bytearray(view.read(pixels.value, pixels.stop - pixels.value))
        for region in signature.regions:
            image.blank(data, region, test=test)
        head = source.dataset.data[: pixels.value]
        if set_burned_in:
            head = _burned_in_no(source, head)
        return PixelOutcome("OK", text, View([head, bytes(data), *view.slice(pixels.stop, view.size)]))


@dataclass(frozen=True)
class _Image:
    """How the samples of an image lie in its pixel data."""

    rows: int
    columns: int
    frames: int
    samples: int
    bits: int
    planar: bool
    photometric: str

    @classmethod
    def of(cls, source: ObjectFile, *, strict: bool) -> _Image | None:
        reader = Reader(packaged(), strict=strict)

        def number(tag: int, default: int) -> int:
            return java_int(reader.text(source.dataset, tag) or "") or default

        rows, columns = number(0x00280010, 0), number(0x00280011, 0)
        if source.pixels is None or not rows or not columns:
            return None
        return cls(
            rows,
            columns,
            number(0x00280008, 1),
            number(0x00280002, 1),
            number(0x00280100, 8),
            number(0x00280006, 0) == 1,
            reader.text(source.dataset, 0x00280004) or "",
        )

    def blank(self, data: bytearray, region: Region, *, test: bool) -> None:
        rows, columns = region.rows(self.rows), region.columns(self.columns)
        size = self.bits // 8
        chroma = self.photometric.startswith("YBR_FULL") and not self.planar and self.samples == 3
        if chroma:
            stride = 2 if self.photometric == "YBR_FULL_422" else 3 * size
        else:
            stride = size * (1 if self.planar else self.samples)
        planes = self.frames * (self.samples if self.planar else 1)
        for plane in range(planes):
            for row in rows:
                start = (plane * self.rows + row) * self.columns * stride
                if chroma:
                    self._pairs(data, start, columns, stride, test=test)
                else:
                    first, last = start + columns.start * stride, start + columns.stop * stride
                    end = min(max(first, last), len(data))
                    data[first:end] = bytes([self._fill(test)]) * max(0, end - first)

    def _fill(self, test: bool) -> int:
        if test:
            return 127
        if self.photometric != "MONOCHROME1":
            return 0
        return 255 if self.bits == 8 else 15

    @staticmethod
    def _pairs(data: bytearray, start: int, columns: range, stride: int, *, test: bool) -> None:
        luma = 127 if test else 0
        for column in columns[::2]:
            at = start + (column & ~1) * stride
            if at + 4 <= len(data):
                data[at : at + 4] = bytes([luma, luma, 128, 128])


def _burned_in_no(source: ObjectFile, head: bytes) -> bytes:
    element = source.dataset.index.get(_BURNED_IN)
    new = element_head(_BURNED_IN, "CS", 2, source.dataset.syntax) + b"NO"
    if element is not None:
        return head[: element.start] + new + head[element.end :]
    later = [other.start for other in source.dataset.elements if other.tag > _BURNED_IN]
    at = later[0] if later else source.pixels.start if source.pixels else len(head)
    return head[:at] + new + head[at:]


def read_pixel_script(text: str, *, as_ctp: bool = False) -> PixelScript:
    """Read the text of a pixel script.

    Raises
    ------
    Misconfigured
        Not `as_ctp`: a filter is malformed, a region is not four whole numbers or stands before any
        signature, or there is no signature at all.
    """
    signatures: list[tuple[ObjectFilter, list[Region]]] = []
    for found in _TOKEN.finditer(text):
        if found[1] is not None:
            signatures.append((ObjectFilter(found[1].strip(), as_ctp), []))
            continue
        numbers = [java_int(part.strip()) for part in found[2].split(",")]
        if len(numbers) != 4 or None in numbers or not signatures:
            if as_ctp:
                continue
            raise Misconfigured(
                "pixel-region",
                "A region of the pixel script is not (x,y,w,h) after a signature.",
                remedy="Correct it; parentheses in comments count as regions.",
            )
        x, y, width, height = (number or 0 for number in numbers)
        signatures[-1][1].append(Region(x, y, width, height))
    if not signatures and not as_ctp:
        raise Misconfigured("pixel-script", "The pixel script has no signature.", remedy="Write { filter }.")
    return PixelScript(tuple(Signature(one, tuple(regions)) for one, regions in signatures), as_ctp)


def load_pixel_script(path: Path, *, as_ctp: bool = False) -> PixelScript:
    """Read a pixel script from a file.

    Raises
    ------
    Misconfigured
        The file cannot be read, or as `read_pixel_script`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(
            "pixel-script-missing", "The pixel script cannot be read.", remedy="Name an existing UTF-8 file."
        ) from None
    return read_pixel_script(text, as_ctp=as_ctp)
