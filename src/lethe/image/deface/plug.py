"""Air spaces that open onto the cut and its hollows are filled, or the cut looks like the face of a skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .grid import Array3
from .head import Head
from .morph import Mask, closed, depth, distance_to, erode, opened, smoothed
from .protect import Protection
from .region import Region, face_sector
from .scene import Modality

_REACH_MM = 8.0
_CT_CLEARANCE_MM, _MR_CLEARANCE_MM = 3.0, 6.0
_HOLLOW_MM, _NOSE_MM = 45.0, 26.0
_HOLLOWS_END = -85.0  # below, the cut is plain
_BEHIND_FACE_MM, _BEHIND_FOREHEAD_MM = 13.0, 4.6
_MR_TOP = -24.0  # above lies the forehead: what is dark there is skull
_TISSUE_HU = 30.0
_AIR_HU = -100.0


@dataclass(frozen=True, slots=True)
class Plug:
    """Air to be filled behind the cut.

    Attributes
    ----------
    fill : ndarray of bool
        Grid voxels behind the cut that were air.
    level : ndarray of float32
        Above 0.5 in what is left of the head and in the hollows of the cut, such as under the brow: what is
        removed there gets the value of tissue instead of that of air, so that the cut is level.
    tissue : float
        Value they get.
    below : float
        A voxel of the file is air, and may be filled, below this value.
    """

    fill: Mask
    level: Array3
    tissue: float
    below: float


def solid_head(head: Head) -> Mask:
    """Return the head without its openings: nostrils, mouth and ear canals belong to it."""
    return erode(closed(head.mask, 18.0, head.grid.spacing), 3.0, head.grid.spacing)


def plug(head: Head, protection: Protection, region: Region) -> Plug:
    """Find the sinuses, nose and mouth behind the cut.

    Parameters
    ----------
    head : Head
    protection : Protection
    region : Region

    Returns
    -------
    Plug
    """
    spacing = head.grid.spacing
    if head.modality is Modality.CT:
        value, below = _TISSUE_HU, _AIR_HU
    else:
        value = float(np.median(head.grid.values[head.mask]))
        below = 0.5 * value
    solid = solid_head(head)
    x, y, z = region.coordinates
    near = distance_to(region.remove, spacing) <= _REACH_MM
    ahead = face_sector(x, y + 9.0, z - 3.0)
    # dark is not always air in MR: the skull and the fluid around the brain are dark too
    clear = distance_to(protection.brain, spacing) > (
        _CT_CLEARANCE_MM if head.modality is Modality.CT else _MR_CLEARANCE_MM
    )
    fill = near & solid & ahead & clear & (head.grid.values < below) & ~region.remove
    if head.modality is Modality.MR:
        fill &= (z < _MR_TOP) & ~protection.keep
    return Plug(np.asarray(fill), _levelled(head, protection, region), value, below)


def _levelled(head: Head, protection: Protection, region: Region) -> Array3:
    """Smooth what is left of the head: hollows under the brow count as solid, well behind a face without
    nose, and so does the deep part of the scalp that was taken from the forehead, for bone is pitted.
    """
    spacing, z = head.grid.spacing, region.coordinates[2]
    left = head.mask & ~region.remove
    step = 2.0 * spacing  # large balls need not be fine, but room at the sides and in front
    room = int(1.5 * _HOLLOW_MM / step)
    around = ((room, room), (0, room), (0, 0))
    inner = (slice(room, -room), slice(-room))
    level = closed(np.pad(left[::2, ::2, ::2], around), _HOLLOW_MM, step)[inner]
    # without the nose, or the level would show where it was
    plain = opened(np.pad((head.mask | ~head.grid.valid)[::2, ::2, ::2], around), _NOSE_MM, step)
    deep = level & (depth(plain, step)[inner] > _BEHIND_FACE_MM)
    behind = np.interp(z, (-25.0, -17.0), (_BEHIND_FACE_MM, _BEHIND_FOREHEAD_MM))
    even = smoothed(_enlarged(deep, left.shape), 4.0, spacing) > 0.5
    solid = even & (z > _HOLLOWS_END) | (z > -26.0) & (protection.skin_depth > behind)
    return smoothed(left | (solid & region.sector & head.mask), 2.5, spacing)


def _enlarged(mask: Mask, shape: tuple[int, ...]) -> Mask:
    for axis, length in enumerate(shape):
        mask = np.repeat(mask, 2, axis)[tuple(slice(length if a == axis else None) for a in range(3))]
    return mask
