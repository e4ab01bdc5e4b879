"""Air spaces that open onto the cut are filled, or the cut looks like the face of a skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .head import Head
from .morph import Mask, closed, distance_to, erode
from .protect import Protection
from .region import Region, face_sector
from .scene import Modality

_REACH_MM = 8.0
_TISSUE_HU = 30.0
_AIR_HU = -100.0


@dataclass(frozen=True, slots=True)
class Plug:
    """Air to be filled behind the cut.

    Attributes
    ----------
    fill : ndarray of bool
        Grid voxels that were air.
    tissue : float
        Value they get.
    below : float
        A voxel of the file is air, and may be filled, below this value.
    """

    fill: Mask
    tissue: float
    below: float


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
    solid = erode(closed(head.mask, 18.0, spacing), 3.0, spacing)
    x, y, z = region.coordinates
    near = distance_to(region.remove, spacing) <= _REACH_MM
    ahead = face_sector(x, y + 9.0, z - 3.0)
    fill = near & solid & ahead & (head.grid.values < below) & ~region.remove & ~protection.brain
    if head.modality is Modality.CT:
        fill &= distance_to(protection.brain, spacing) > 1.0
    return Plug(np.asarray(fill), value, below)
