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
_MR_CLEARANCE_MM = 6.0
_MR_TOP = -24.0  # above lies the forehead: what is dark there is skull
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
        1.0 if head.modality is Modality.CT else _MR_CLEARANCE_MM
    )
    fill = near & solid & ahead & clear & (head.grid.values < below) & ~region.remove
    if head.modality is Modality.MR:
        fill &= (z < _MR_TOP) & ~protection.keep
    return Plug(np.asarray(fill), value, below)
