"""Air spaces that open onto the cut and its hollows are filled, or the cut looks like the face of a skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .grid import Array3
from .head import Head
from .morph import Mask, closed, distance_to, erode, smoothed
from .protect import Protection
from .region import Region, face_sector
from .scene import Modality

_REACH_MM = 8.0
_CT_CLEARANCE_MM, _MR_CLEARANCE_MM = 3.0, 6.0
_HOLLOW_MM = 45.0
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
    """Smooth what is left of the head: hollows that a large ball cannot reach count as solid, well behind the
    skin, and so does the deep half of the scalp that was taken from the forehead, for bone is pitted.
    """
    spacing, z = head.grid.spacing, region.coordinates[2]
    left = head.mask & ~region.remove
    # a large ball needs room at the sides and in front; every second cell is fine enough for it
    room = int(1.5 * _HOLLOW_MM / (2.0 * spacing))
    coarse = np.pad(left[::2, ::2, ::2], ((room, room), (0, room), (0, 0)))
    level = closed(coarse, _HOLLOW_MM, 2.0 * spacing)[room:-room, :-room]
    for axis, length in enumerate(left.shape):
        level = np.repeat(level, 2, axis)[tuple(slice(length if a == axis else None) for a in range(3))]
    behind = np.interp(z, (-25.0, -17.0), (_BEHIND_FACE_MM, _BEHIND_FOREHEAD_MM))
    solid = (level | (z > -26.0)) & region.sector & head.mask & (protection.skin_depth > behind)
    return smoothed(left | solid, 2.5, spacing)
