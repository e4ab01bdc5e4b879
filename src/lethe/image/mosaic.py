"""Mosaics: all slices of a volume as tiles of one image, as Siemens scanners send functional MR.

Where the tiles lie is told by Siemens' private header alone. Without it a mosaic stays a mosaic.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lethe.errors import Refused
from lethe.image.elements import Header
from lethe.image.values import Vector, number, whole

_NAME, _ITEM = 64, struct.Struct("<4i")
_TAG = struct.Struct("<64si4siii")
_MOST = 1024


@dataclass(frozen=True, slots=True)
class Grid:
    """How tiles lie in a mosaic.

    Attributes
    ----------
    count, side : int
        Number of tiles; tiles in a row and in a column, some of the last may be empty.
    normal : tuple of float
        Way from tile to tile, of length 1 (LPS).
    """

    count: int
    side: int
    normal: Vector


def grid_of(header: Header) -> Grid | None:
    """Return how the tiles lie, or None when the header does not tell it in full.

    Parameters
    ----------
    header : Header
        Of an object whose ImageType says that it is a mosaic.
    """
    try:
        values = private_values(header.get("SiemensImageHeader") or b"")
        count = int(float(values["NumberOfImagesInMosaic"][0]))
        normal = tuple(float(value) for value in values["SliceNormalVector"])
    except (KeyError, IndexError, ValueError, struct.error):
        return None
    if not 1 < count <= _MOST or len(normal) != 3 or abs(math.hypot(*normal) - 1) > 1e-2:
        return None
    return Grid(count, _side(count), normal)


def _side(count: int) -> int:
    return math.ceil(math.sqrt(count))


def private_values(raw: bytes) -> dict[str, list[str]]:
    """Return the texts of Siemens' private header (its second version, ``SV10``).

    Raises
    ------
    ValueError, struct.error
        It is none, or damaged.
    """
    if raw[:4] != b"SV10":
        raise ValueError("another version of the private header")
    (tags,) = struct.unpack_from("<I", raw, 8)
    at, values = 16, {}
    for _ in range(min(tags, _MOST)):
        name, _, _, _, items, _ = _TAG.unpack_from(raw, at)
        at += _TAG.size
        texts = []
        for _ in range(items):
            length = _ITEM.unpack_from(raw, at)[1]
            if not 0 <= length <= len(raw) - at - _ITEM.size:
                raise ValueError("item beyond the end")
            at += _ITEM.size
            texts.append(raw[at : at + length].split(b"\0")[0].decode("latin-1").strip())
            at += (length + 3) // 4 * 4
        values[name.split(b"\0")[0].decode("latin-1")] = [text for text in texts if text]
    return values


def tile_places(
    grid: Grid,
    header: Header,
    *,
    position: Vector | None,
    orientation: Vector | None,
    spacing: Vector | None,
) -> list[Vector]:
    """Return the position of each tile; none when the header is not complete or contradicts itself.

    Parameters
    ----------
    grid : Grid
        How the tiles lie in the mosaic.
    header : Header
        Of the mosaic.
    position, orientation, spacing : tuple of float or None
        The plane of the mosaic: the middle of its first tile lies in the middle of the whole.
    """
    distance = number(header, "SpacingBetweenSlices") or number(header, "SliceThickness")
    rows, columns = whole(header, "Rows") or 0, whole(header, "Columns") or 0
    if not (position and orientation and spacing and distance) or rows % grid.side or columns % grid.side:
        return []
    row, column, normal = np.array(orientation[:3]), np.array(orientation[3:]), np.array(grid.normal)
    if abs(np.cross(row, column) @ normal) < 0.999:
        return []
    around = (grid.side - 1) / grid.side / 2
    origin = np.array(position) + row * spacing[1] * columns * around + column * spacing[0] * rows * around
    places = origin + distance * np.outer(np.arange(grid.count), normal)
    return [tuple(place) for place in places.tolist()]


def tiles_of(mosaic: NDArray[Any], count: int) -> NDArray[Any]:
    """Cut a mosaic.

    Parameters
    ----------
    mosaic : NDArray, shape (rows, columns)
        All tiles, row by row.
    count : int
        Number of tiles that are used.

    Returns
    -------
    NDArray, shape (count, rows / side, columns / side)
        The tiles in order.

    Raises
    ------
    Refused
        ``mosaic-tiles`` when a tile beyond the last one holds something.
    """
    side = _side(count)
    rows, columns = mosaic.shape[0] // side, mosaic.shape[1] // side
    tiles = mosaic.reshape(side, rows, side, columns).swapaxes(1, 2).reshape(side * side, rows, columns)
    if tiles[count:].any():
        raise Refused(
            "mosaic-tiles",
            "A mosaic holds more tiles than its header says.",
            remedy="The series stays DICOM; report the case with the kind of scanner.",
        )
    return tiles[:count]
