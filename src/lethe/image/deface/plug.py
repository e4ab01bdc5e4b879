"""Air spaces that open onto the cut are filled, or the cut looks like the face of a skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .ears import level
from .grid import Array3
from .head import Head
from .morph import Mask, closed, distance_to, erode
from .protect import Protection
from .region import Region, ahead, face_sector
from .scene import Modality
from .wall import wall

_REACH_MM, _SKULL_REACH_MM = 8.0, 4.0
_CT_CLEARANCE_MM, _MR_CLEARANCE_MM = 3.0, 6.0
_CLOSING_MM = 18.0
_MR_TOP = -24.0  # above lies the forehead: what is dark there is skull
_TISSUE_HU = 30.0
_AIR_HU = -100.0
_SURELY_AIR_HU = -400.0
_STREAKS_MM = 8.0


@dataclass(frozen=True, slots=True)
class Plug:
    """What is filled behind the cut and in front of it.

    Attributes
    ----------
    fill : ndarray of bool
        Grid voxels behind the cut that were air.
    level : ndarray of float32
        The walls in place of the face (`lethe.image.deface.wall`) and the ears (`lethe.image.deface.ears`):
        what is removed and lies above 0.5 gets the value of tissue instead of that of air.
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
    # a ball must find room beside the head, or all air there would count as an opening; in front of the data
    # lies air whatever they end with
    room = int(_CLOSING_MM / head.grid.spacing) + 2
    around = np.pad(head.mask, ((room, room), (0, 0), (room, room)), mode="edge")
    around = np.pad(around, ((0, 0), (room, room), (0, 0)))
    within = tuple(slice(room, -room) for _ in range(3))
    return erode(closed(around, _CLOSING_MM, head.grid.spacing), 3.0, head.grid.spacing)[within]


def plug(head: Head, protection: Protection, region: Region) -> Plug:
    """Find the sinuses, nose and mouth behind the cut, and shape the wall in front of it.

    Parameters
    ----------
    head : Head
    protection : Protection
    region : Region

    Returns
    -------
    Plug
    """
    spacing, values = head.grid.spacing, head.grid.values
    x, y, z = region.coordinates
    away = distance_to(region.remove, spacing)
    to_brain = distance_to(protection.brain, spacing)
    near_face = face_sector(x, y + 9.0, z - 3.0) & (away <= _REACH_MM)
    fill = near_face & solid_head(head) & ~region.remove
    if head.modality is Modality.CT:
        value, below = _TISSUE_HU, _AIR_HU
        fill &= to_brain > _CT_CLEARANCE_MM
        # beside the brain only what is air beyond doubt: streaks of metal and noise are dark too
        fill &= ~protection.keep | (values < _SURELY_AIR_HU)
        if protection.streaks:
            fill &= distance_to(protection.keep, spacing) > _STREAKS_MM
    else:
        value = float(np.median(values[head.mask & (values > head.skin)]))
        below = 0.5 * float(np.median(values[head.mask]))
        # dark is not always air in MR: the skull and the fluid around the brain are dark too
        fill &= (to_brain > _MR_CLEARANCE_MM) & ~protection.keep
        fill &= (z < _MR_TOP) | (away <= _SKULL_REACH_MM)
    sides = level(region.side, ahead(x, y, z), spacing)
    walls = np.maximum(wall(head, protection.keep, region), sides)
    return Plug(np.asarray(fill & (values < below)), walls, value, below)
