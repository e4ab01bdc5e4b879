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
_HOLLOW_MM = 18.0
_BEHIND_SKIN_MM = 11.0
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
        Above 0.5 in hollows of the cut, such as under the brow: what is removed there gets the value of
        tissue instead of that of air, so that the cut is level.
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
    hollow = smoothed(_hollows(head, protection, region) & clear, 1.5, spacing)
    return Plug(np.asarray(fill), hollow, value, below)


def _hollows(head: Head, protection: Protection, region: Region) -> Mask:
    """What a ball cannot reach from the front once the face is gone, well behind where the skin was."""
    left = head.mask & ~region.remove
    filled = closed(left, _HOLLOW_MM, head.grid.spacing) & ~left
    return np.asarray(filled & region.sector & (protection.skin_depth > _BEHIND_SKIN_MM))
